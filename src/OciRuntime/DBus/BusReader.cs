using System.Buffers.Binary;
using System.Text;

namespace OciRuntime.DBus;

/// <summary>Reads marshalled values. Whoever sends them may lie: every length is checked, and nothing is read twice.</summary>
/// <remarks>All of it throws <see cref="FormatException"/>, with what the other side sent, as the end of a sentence.</remarks>
internal ref struct BusReader
{
    private const int MaxDepth = 64;
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly ReadOnlySpan<byte> _bytes;
    private readonly bool _bigEndian;
    private int _at;

    /// <param name="bytes">Beginning at a multiple of 8 in the message.</param>
    /// <param name="bigEndian">The sender's choice.</param>
    public BusReader(ReadOnlySpan<byte> bytes, bool bigEndian)
    {
        _bytes = bytes;
        _bigEndian = bigEndian;
    }

    public int Position => _at;

    public bool AtEnd => _at == _bytes.Length;

    public byte Byte() => Take(1, 1)[0];

    public uint UInt32()
    {
        ReadOnlySpan<byte> bytes = Take(4, 4);
        return _bigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
    }

    /// <summary>A string or an object path.</summary>
    public string String() => Text(UInt32());

    public string Signature() => Text(Byte());

    /// <summary>A variant that must hold a string.</summary>
    public string StringVariant() =>
        Signature() is "s" or "o" ? String() : throw new FormatException("a value of another type where a string belongs");

    /// <summary>Begins a structure.</summary>
    public void Structure() => Take(8, 0);

    /// <summary>Begins an array and gives the position of its end.</summary>
    public int Array(int alignment)
    {
        uint length = UInt32();
        Take(alignment, 0);
        if (length > _bytes.Length - _at) throw Truncated();
        return _at + (int)length;
    }

    /// <summary>Passes over values.</summary>
    public void Skip(ReadOnlySpan<char> signature)
    {
        for (int at = 0; at < signature.Length;) SkipOne(signature, ref at, 0);
    }

    private void SkipOne(ReadOnlySpan<char> signature, ref int at, int depth)
    {
        if (depth > MaxDepth) throw new FormatException("values nested too deeply");
        if (at >= signature.Length) throw new FormatException("an incomplete signature");
        char type = signature[at++];
        switch (type)
        {
            case 's' or 'o': Text(UInt32()); break;
            case 'g': Text(Byte()); break;
            case 'v':
                string inner = Signature();
                int position = 0;
                SkipOne(inner, ref position, depth + 1);
                if (position != inner.Length) throw new FormatException("a variant with more than one value");
                break;
            case 'a':
                // Its length is all there is to know.
                if (at >= signature.Length) throw new FormatException("an incomplete signature");
                int end = Array(BusWriter.AlignmentOf(signature[at]));
                PassType(signature, ref at, depth + 1);
                _at = end;
                break;
            case '(' or '{':
                Structure();
                char close = type == '(' ? ')' : '}';
                while (at < signature.Length && signature[at] != close) SkipOne(signature, ref at, depth + 1);
                if (at++ >= signature.Length) throw new FormatException("an incomplete signature");
                break;
            default:
                int size = BusWriter.AlignmentOf(type);
                Take(size, size);
                break;
        }
    }

    private static void PassType(ReadOnlySpan<char> signature, ref int at, int depth)
    {
        if (depth > MaxDepth) throw new FormatException("values nested too deeply");
        if (at >= signature.Length) throw new FormatException("an incomplete signature");
        char type = signature[at++];
        BusWriter.AlignmentOf(type);
        if (type == 'a') PassType(signature, ref at, depth + 1);
        if (type is not ('(' or '{')) return;
        char close = type == '(' ? ')' : '}';
        while (at < signature.Length && signature[at] != close) PassType(signature, ref at, depth + 1);
        if (at++ >= signature.Length) throw new FormatException("an incomplete signature");
    }

    private string Text(uint length)
    {
        if (length >= _bytes.Length - _at) throw Truncated();
        ReadOnlySpan<byte> bytes = Take(1, (int)length + 1);
        if (bytes.IndexOf((byte)0) != bytes.Length - 1) throw new FormatException("a string with a NUL in it, or none behind it");
        try
        {
            return Utf8.GetString(bytes[..^1]);
        }
        catch (ArgumentException)
        {
            throw new FormatException("a string that is not UTF-8");
        }
    }

    private ReadOnlySpan<byte> Take(int alignment, int size)
    {
        int start = (_at + alignment - 1) & -alignment;
        if (size > _bytes.Length - start) throw Truncated();
        if (_bytes[_at..start].ContainsAnyExcept((byte)0)) throw new FormatException("padding that is not zero");
        _at = start + size;
        return _bytes.Slice(start, size);
    }

    private static FormatException Truncated() => new("a value that goes beyond the end of its message");
}
