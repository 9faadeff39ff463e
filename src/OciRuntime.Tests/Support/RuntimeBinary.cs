namespace OciRuntime.Tests.Support;

/// <summary>An executable with runc's command line: ocirun itself or a peer.</summary>
public sealed record RuntimeBinary(string Path)
{
    /// <summary>The file name: ocirun, runc, crun.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>True for ocirun, false for a peer that the tests are compared with.</summary>
    public bool IsOcirun => Name.StartsWith("ocirun", StringComparison.Ordinal);

    /// <summary>Runs a command to its end.</summary>
    public CommandResult Run(params string[] args) => Command.Run(Path, args);

    /// <inheritdoc cref="Run(string[])"/>
    public CommandResult Run(IEnumerable<string> args, CommandOptions options) => Command.Run(Path, args, options);

    /// <summary>Starts a command without waiting.</summary>
    public RunningCommand Start(params string[] args) => Command.Start(Path, args);

    /// <inheritdoc cref="Start(string[])"/>
    public RunningCommand Start(IEnumerable<string> args, CommandOptions options) => Command.Start(Path, args, options);
}
