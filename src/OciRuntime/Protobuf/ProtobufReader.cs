using System.Text;

namespace OciRuntime.Protobuf;

/// <summary>Walks the fields of an encoded message.</summary>
/// <param name="message">What came; it is not trusted to be well-formed.</param>
internal ref struct ProtobufReader(ReadOnlySpan<byte> message)
{
    internal const int Varint = 0, Fixed64 = 1, LengthDelimited = 2, Fixed32 = 5;
    private ReadOnlySpan<byte> _rest = message;

    /// <summary>The current field's number.</summary>
    public int Field { get; private set; }

    /// <summary>Its value when it is an integer, enum or bool; otherwise 0.</summary>
    public long Number { get; private set; }

    /// <summary>Its value when it is a string or message; otherwise empty.</summary>
    public ReadOnlySpan<byte> Bytes { get; private set; }

    /// <summary>Its value when it is a string; what is no UTF-8 in it is replaced.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Bytes);

    /// <summary>Goes to the next field; false at the end.</summary>
    /// <exception cref="FormatException">This is no protobuf message.</exception>
    public bool Next()
    {
        if (_rest.IsEmpty) return false;
        ulong key = ReadVarint();
        Field = (int)(key >> 3 & 0x1fffffff);
        Number = 0;
        Bytes = default;
        switch ((int)(key & 7))
        {
            case Varint: Number = (long)ReadVarint(); break;
            case LengthDelimited: Bytes = Take(ReadVarint()); break;
            case Fixed64: Take(8); break;
            case Fixed32: Take(4); break;
            default: throw new FormatException($"wire type {key & 7}");
        }
        return true;
    }

    private ulong ReadVarint()
    {
        ulong value = 0;
        for (int i = 0; i < 10; i++)
        {
            byte next = Take(1)[0];
            value |= (ulong)(next & 0x7f) << 7 * i;
            if (next < 0x80) return value;
        }
        throw new FormatException("a number of more than ten bytes");
    }

    private ReadOnlySpan<byte> Take(ulong length)
    {
        if (length > (ulong)_rest.Length) throw new FormatException("it ends within a field");
        ReadOnlySpan<byte> taken = _rest[..(int)length];
        _rest = _rest[(int)length..];
        return taken;
    }
}
