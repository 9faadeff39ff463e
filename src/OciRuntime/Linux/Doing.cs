using System.Runtime.CompilerServices;
using System.Text;

namespace OciRuntime.Linux;

/// <summary>
/// What a call is for, as an interpolated string that is put together only where the call has failed: of the hundreds of a launch usually
/// none does.
/// </summary>
[InterpolatedStringHandler]
internal readonly struct Doing
{
    private readonly StringBuilder? _text;

    public Doing(int literalLength, int formattedCount, long result, out bool hasFailed)
    {
        hasFailed = result < 0;
        if (hasFailed) _text = new StringBuilder(literalLength + 16 * formattedCount);
    }

    public void AppendLiteral(string text) => _text!.Append(text);

    public void AppendFormatted<T>(T value) => _text!.Append(value);

    public override string ToString() => _text?.ToString() ?? "";
}
