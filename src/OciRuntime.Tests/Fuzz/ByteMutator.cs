using System.Text;

namespace OciRuntime.Tests.Fuzz;

/// <summary>Makes new inputs of known ones that are no JSON: bytes changed, and words of the inputs put where others were.</summary>
internal sealed class ByteMutator
{
    private static readonly byte[][] Words = [.. JsonMutator.Numbers.Select(Encoding.UTF8.GetBytes),
        .. ((string[])["", " ", "\n", "\r", "\t", "\0", ":", "::", ",", "=", "-", "--", "(", ")", "/", "..", "\\040", "\\", "é", "\u0085"])
        .Select(Encoding.UTF8.GetBytes), [0xff], [0xc3, 0x28], [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]];

    private readonly byte[][] _seeds, _words;
    private readonly Random _random;

    public ByteMutator(IEnumerable<byte[]> seeds, Random random)
    {
        _seeds = [.. seeds];
        _random = random;
        _words = [.. Words, .. _seeds.SelectMany(Split)];
    }

    /// <summary>The next input.</summary>
    public byte[] Next()
    {
        List<byte> bytes = [.. Pick(_seeds)];
        for (int count = _random.Next(1, 8); count > 0; count--) Mutate(bytes);
        return [.. bytes];
    }

    private void Mutate(List<byte> bytes)
    {
        int at = _random.Next(bytes.Count + 1), length = Math.Min(_random.Next(1, 40), bytes.Count - at);
        switch (_random.Next(9))
        {
            case 0 when length > 0: bytes[at] = (byte)_random.Next(256); break;
            case 1 when length > 0: bytes[at] ^= (byte)(1 << _random.Next(8)); break;
            case 2: bytes.RemoveRange(at, length); break;
            case 3: bytes.InsertRange(at, bytes.GetRange(at, length)); break;
            case 4 when _random.Next(10) == 0: bytes.RemoveRange(at, bytes.Count - at); break;
            case 5 when _random.Next(20) == 0: bytes.InsertRange(at, Many(Pick(Words))); break;
            case 6: bytes.InsertRange(at, Pick(_seeds)); break;
            default:
                bytes.RemoveRange(at, Math.Min(length, _random.Next(10)));
                bytes.InsertRange(at, Pick(_words));
                break;
        }
    }

    private byte[] Many(byte[] word) => [.. Enumerable.Repeat(word, _random.Next(20_000)).SelectMany(static w => w)];

    /// <summary>Words of letters and digits.</summary>
    private static IEnumerable<byte[]> Split(byte[] text)
    {
        int start = 0;
        for (int i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && char.IsAsciiLetterOrDigit((char)text[i])) continue;
            if (i > start) yield return text[start..i];
            start = i + 1;
        }
    }

    private byte[] Pick(byte[][] from) => from[_random.Next(from.Length)];
}
