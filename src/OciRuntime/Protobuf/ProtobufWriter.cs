using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace OciRuntime.Protobuf;

/// <summary>
/// Writes a message in protocol buffers' encoding (protobuf.dev/programming-guides/encoding). By hand: of the encoding three kinds of
/// fields are used, and a library with generated classes would be several times as big as all who use this, in a binary that is to stay
/// small.
/// </summary>
internal sealed class ProtobufWriter
{
    private readonly ArrayBufferWriter<byte> _buffer = new(256);

    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    /// <summary>An integer, enum or bool field.</summary>
    public ProtobufWriter Number(int field, long value)
    {
        Varint((ulong)field << 3);
        // A negative int32 is sign-extended to ten bytes, too.
        Varint((ulong)value);
        return this;
    }

    /// <summary>The same for what may be larger than a long.</summary>
    public ProtobufWriter Number(int field, ulong value) => Number(field, (long)value);

    /// <summary>A double field.</summary>
    public ProtobufWriter Real(int field, double value)
    {
        Varint((ulong)field << 3 | ProtobufReader.Fixed64);
        BinaryPrimitives.WriteDoubleLittleEndian(_buffer.GetSpan(8), value);
        _buffer.Advance(8);
        return this;
    }

    /// <summary>A string field.</summary>
    public ProtobufWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    /// <summary>A field that is a message itself.</summary>
    public ProtobufWriter Message(int field, ProtobufWriter message) => Bytes(field, message.Written);

    /// <summary>A field of bytes, or a message that is encoded already.</summary>
    public ProtobufWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint((ulong)field << 3 | ProtobufReader.LengthDelimited);
        Varint((ulong)value.Length);
        _buffer.Write(value);
        return this;
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
