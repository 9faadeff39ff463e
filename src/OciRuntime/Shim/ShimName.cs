namespace OciRuntime.Shim;

/// <summary>What containerd looks for in $PATH to run containers of the type io.containerd.ocirun.v2.</summary>
internal static class ShimName
{
    /// <summary>The command that does the same by the program's own name.</summary>
    public const string Verb = "shim";

    /// <summary>The name in full.</summary>
    public const string Program = "containerd-shim-ocirun-v2";

    private const string Beginning = "containerd-shim";

    /// <summary>The command line of a program of that name, as that of the command.</summary>
    public static string[] Translate(string[] args)
    {
        // No other command line begins with a single dash, but by hand.
        if (args is not [['-', not '-', ..], ..]) return args;
        return Is(Environment.GetCommandLineArgs()[0]) ? [Verb, .. args] : args;
    }

    public static bool Is(string program) => Path.GetFileName(program).StartsWith(Beginning, StringComparison.Ordinal);
}
