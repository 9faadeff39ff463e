namespace OciRuntime.Cli;

/// <summary>A command line that makes no sense. The message is for the user, without the program's name.</summary>
public sealed class UsageException(string message) : Exception(message)
{
    /// <summary>The global options read before the mistake, so that it reaches the log file the client named.</summary>
    public GlobalOptions? Globals { get; internal set; }

    /// <summary>The command whose help would help, or null.</summary>
    public string? VerbName { get; internal set; }

    /// <summary>False when reading the help would not help.</summary>
    public bool HelpHelps { get; init; } = true;
}
