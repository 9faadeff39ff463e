using OciRuntime.Cli;

namespace OciRuntime.Commands;

/// <summary><c>ocirun completion SHELL</c>.</summary>
internal static class CompletionCommand
{
    public static int Run(GlobalOptions _, CompletionOptions o)
    {
        Output.Write(CompletionScript.For(o.Shell));
        return ExitCodes.Success;
    }
}
