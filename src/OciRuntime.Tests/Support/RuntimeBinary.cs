namespace OciRuntime.Tests.Support;

/// <summary>An executable with runc's command line: ocirun itself or a peer.</summary>
public sealed record RuntimeBinary(string Path)
{
    /// <summary>The file name: ocirun, runc, crun.</summary>
    public string Name => System.IO.Path.GetFileName(Path);

    /// <summary>True for ocirun, false for a peer that the tests are compared with.</summary>
    public bool IsOcirun => Name.StartsWith("ocirun", StringComparison.Ordinal);

    /// <summary>The program that executes it, with its arguments: setpriv, env. Nothing by default.</summary>
    public IReadOnlyList<string> Launcher { get; init; } = [];

    /// <summary>Runs a command to its end.</summary>
    public CommandResult Run(params string[] args) => Run(args, new CommandOptions());

    /// <inheritdoc cref="Run(string[])"/>
    public CommandResult Run(IEnumerable<string> args, CommandOptions options)
    {
        string[] line = [.. Launcher, Path, .. args];
        return Command.Run(line[0], line[1..], options);
    }

    /// <summary>Starts a command without waiting.</summary>
    public RunningCommand Start(params string[] args) => Start(args, new CommandOptions());

    /// <inheritdoc cref="Start(string[])"/>
    public RunningCommand Start(IEnumerable<string> args, CommandOptions options)
    {
        string[] line = [.. Launcher, Path, .. args];
        return Command.Start(line[0], line[1..], options);
    }
}
