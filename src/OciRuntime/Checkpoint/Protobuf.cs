using System.Buffers;
using System.Text;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Writes a message in protocol buffers' encoding (protobuf.dev/programming-guides/encoding). By hand: of the encoding two kinds of fields are used,
/// and a library with generated classes would be several times as big as all of this folder, in a binary that is to stay small.
/// </summary>
internal sealed class ProtobufWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(1024);

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    /// <summary>An integer, enum or bool field.</summary>
    public void Number(int field, long value)
    {
        Varint((ulong)field << 3);
        // A negative int32 is sign-extended to ten bytes, too.
        Varint((ulong)value);
    }

    /// <summary>A string field.</summary>
    public void Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A field that is a message itself.</summary>
    public void Message(int field, ProtobufWriter message) => Bytes(field, message.Written);

    private void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint((ulong)field << 3 | ProtobufReader.LengthDelimited);
        Varint((ulong)value.Length);
        _buffer.Write(value);
    }

    private void Varint(ulong value)
    {
        Span<byte> bytes = stackalloc byte[10];
        int length = 0;
        for (; value >= 0x80; value >>= 7) bytes[length++] = (byte)(value | 0x80);
        bytes[length++] = (byte)value;
        _buffer.Write(bytes[..length]);
    }
}

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
