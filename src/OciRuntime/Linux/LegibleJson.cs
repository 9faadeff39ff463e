using System.Text;
using System.Text.Encodings.Web;

namespace OciRuntime.Linux;

/// <summary>
/// JSON that people can read: nothing is escaped but what has to be, what a terminal would obey, and what JavaScript takes for line ends.
/// </summary>
/// <remarks>
/// Nearly JavaScriptEncoder.UnsafeRelaxedJsonEscaping, which makes tables of all 65,536 characters when it is first asked for: nine tenths
/// of all instructions of <c>state</c>.
/// </remarks>
internal sealed class LegibleJson : JavaScriptEncoder
{
    public static LegibleJson Encoder { get; } = new();

    private LegibleJson()
    {
    }

    public override int MaxOutputCharactersPerInputCharacter => "\\u0000".Length;

    public override bool WillEncode(int unicodeScalar) =>
        unicodeScalar is < ' ' or '"' or '\\' or (>= 0x7f and < 0xa0) or 0x2028 or 0x2029;

    public override unsafe int FindFirstCharacterToEncode(char* text, int textLength)
    {
        ReadOnlySpan<char> all = new(text, textLength), rest = all;
        // What is no text at all is replaced by U+FFFD.
        while (!rest.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(rest, out Rune rune, out int length) != System.Buffers.OperationStatus.Done || WillEncode(rune.Value))
                return all.Length - rest.Length;
            rest = rest[length..];
        }
        return -1;
    }

    public override unsafe bool TryEncodeUnicodeScalar(int unicodeScalar, char* buffer, int bufferLength, out int numberOfCharactersWritten)
    {
        string text = unicodeScalar switch
        {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\b' => "\\b",
            '\t' => "\\t",
            '\n' => "\\n",
            '\f' => "\\f",
            '\r' => "\\r",
            _ => WillEncode(unicodeScalar) ? $"\\u{unicodeScalar:X4}" : new Rune(unicodeScalar).ToString(),
        };
        bool fits = text.AsSpan().TryCopyTo(new Span<char>(buffer, bufferLength));
        numberOfCharactersWritten = fits ? text.Length : 0;
        return fits;
    }
}
