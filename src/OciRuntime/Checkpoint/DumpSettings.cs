namespace OciRuntime.Checkpoint;

/// <summary>What only checkpoint can be told.</summary>
internal sealed class DumpSettings
{
    public required CriuSettings Criu { get; init; }
    public bool LeaveRunning { get; init; }

    /// <summary>Only the memory is saved, for a later dump to be shorter; the container goes on.</summary>
    public bool PreDump { get; init; }

    public bool TcpSkipInFlight { get; init; }
    public bool LinkRemap { get; init; }

    /// <summary>Descriptor that gets a NUL when lazy pages can be fetched, or -1.</summary>
    public int StatusFd { get; init; } = -1;

    /// <summary>Host and port of a page server, or null.</summary>
    public (string Address, int Port)? PageServer { get; init; }
}
