using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Tracing;

namespace OciRuntime.Commands;

/// <summary><c>ocirun trace FILE</c>: a timeline as text.</summary>
internal static class TraceCommand
{
    // Some hundred thousand events.
    private const int MaxBytes = 64 << 20;

    public static int Run(GlobalOptions _, TraceOptions o)
    {
        byte[] json = Files.ReadFileAt(Files.AT_FDCWD, o.File, MaxBytes, out long error)
            ?? throw OciException.FromResult(error, $"read {o.File}");
        TraceDocument document;
        try
        {
            document = TraceDocument.Parse(json);
        }
        catch (FormatException e)
        {
            throw new OciException($"{o.File}: is not a trace of ocirun: {e.Message}");
        }
        Output.Write(TraceText.Print(document, o.Largest));
        return ExitCodes.Success;
    }
}
