namespace OciRuntime.Launch;

/// <summary>What the command line of exec says, apart from the process itself.</summary>
internal sealed class ExecSettings
{
    public string? ConsoleSocket { get; init; }
    public string? PidfdSocket { get; init; }

    /// <summary>Descriptors from 3 on that the process keeps: those of socket activation, then --preserve-fds.</summary>
    public PreservedFds Preserved { get; init; } = PreservedFds.None;

    /// <summary>--cgroup: PATH, or CONTROLLER[,CONTROLLER]:PATH, below the container's cgroups.</summary>
    public IReadOnlyList<string> SubCgroups { get; init; } = [];

    /// <summary>What the process has as stdin, stdout and stderr; null for the caller's.</summary>
    public int[]? Streams { get; init; }

    /// <summary>The process has other rights than the container's program: see <see cref="ExecProcess.Differs"/>.</summary>
    public bool HasOtherRights { get; init; }

    /// <summary>
    /// Where a property of the process is from, by its pointer below /process: as messages begin, or null where config.json has it.
    /// </summary>
    public Func<string, string?> PlaceOf { get; init; } = static _ => null;

    /// <summary>The container is paused, and the process will begin when it is resumed.</summary>
    public bool Paused { get; init; }
}
