using OciRuntime.Cli;

namespace OciRuntime.Commands;

/// <summary><c>ocirun help [COMMAND]</c>.</summary>
internal static class HelpCommand
{
    public static int Run(GlobalOptions _, HelpOptions o)
    {
        HelpPrinter.Print(o.Command is { } name ? Verbs.Find(name) : null);
        return ExitCodes.Success;
    }
}
