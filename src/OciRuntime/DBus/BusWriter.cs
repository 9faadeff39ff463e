using System.Buffers.Binary;
using System.Text;

namespace OciRuntime.DBus;

/// <summary>
/// Marshals values (D-Bus specification, "Marshaling"): little endian, each at a multiple of its size from the beginning.
/// </summary>
internal sealed class BusWriter
{
    private byte[] _buffer = new byte[512];
    private int _length;

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, _length);

    public int Length => _length;

    public void Byte(byte value) => Take(1, 1)[0] = value;

    public void UInt16(ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Take(2, 2), value);

    public void UInt32(uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Take(4, 4), value);

    public void UInt64(ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Take(8, 8), value);

    /// <summary>A string or an object path.</summary>
    public void String(string value)
    {
        int bytes = Encoding.UTF8.GetByteCount(value);
        UInt32((uint)bytes);
        Encoding.UTF8.GetBytes(value, Take(1, bytes));
        Byte(0);
    }

    public void Signature(string value)
    {
        Byte((byte)value.Length);
        Encoding.ASCII.GetBytes(value, Take(1, value.Length));
        Byte(0);
    }

    /// <summary>Puts zeros up to a multiple of <paramref name="alignment"/>.</summary>
    public void Align(int alignment) => Take(alignment, 0);

    /// <summary>Begins a structure.</summary>
    public void Structure() => Align(8);

    /// <summary>Begins an array; its elements follow, then <see cref="EndArray"/> with what this returned.</summary>
    /// <param name="alignment">Of an element: the padding before the first is there even without any.</param>
    public (int LengthAt, int First) BeginArray(int alignment)
    {
        UInt32(0);
        int at = _length - 4;
        Align(alignment);
        return (at, _length);
    }

    public void EndArray((int LengthAt, int First) array) =>
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(array.LengthAt), (uint)(_length - array.First));

    /// <summary>Bytes that are marshalled already.</summary>
    public void Raw(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Take(1, bytes.Length));

    /// <summary>How a type is aligned.</summary>
    public static int AlignmentOf(char type) => type switch
    {
        'y' or 'g' or 'v' => 1,
        'n' or 'q' => 2,
        'b' or 'i' or 'u' or 's' or 'o' or 'a' or 'h' => 4,
        'x' or 't' or 'd' or '(' or '{' => 8,
        _ => throw new FormatException($"a value of the type '{type}', which there is not"),
    };

    private Span<byte> Take(int alignment, int size)
    {
        int start = (_length + alignment - 1) & -alignment;
        int end = checked(start + size);
        // What is beyond the length has never been written to, and is zero.
        if (end > _buffer.Length) Array.Resize(ref _buffer, Math.Max(end, checked(_buffer.Length * 2)));
        _length = end;
        return _buffer.AsSpan(start, size);
    }
}
