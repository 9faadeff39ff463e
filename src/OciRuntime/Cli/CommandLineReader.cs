namespace OciRuntime.Cli;

/// <remarks>Not called CommandLine: outside this namespace that name means the package.</remarks>
/// <summary>Reads the command line: <c>ocirun [global options] command [options] [arguments]</c>, in the union of runc's and crun's syntax.</summary>
public static class CommandLineReader
{
    public static ParsedCommandLine Parse(string[] args) => throw new NotImplementedException();

    /// <summary>Tells the user, and the log file if the command line named one, what is wrong with the command line.</summary>
    /// <returns>The exit code.</returns>
    public static int Report(UsageException mistake) => throw new NotImplementedException();
}
