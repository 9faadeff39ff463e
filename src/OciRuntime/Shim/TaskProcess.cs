using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Shim;

/// <summary>containerd.v1.types.Status.</summary>
internal enum ProcessStatus
{
    Created = 1,
    Running = 2,
    Stopped = 3,
    Paused = 4,
    Pausing = 5,
}

/// <summary>A process that clients know: a container's first one, or one more in it.</summary>
/// <param name="container">Where it runs.</param>
/// <param name="execId">Its name there; empty for the first.</param>
/// <param name="names">Its streams, as the client has named them.</param>
internal sealed class TaskProcess(Container container, string execId, StreamNames names) : IDisposable
{
    public Container Container => container;

    public string ExecId => execId;

    public bool IsInit => execId.Length == 0;

    public StreamNames Names => names;

    /// <summary>What an exec runs.</summary>
    public Process? Spec { get; init; }

    /// <summary>0 before there is one.</summary>
    public int Pid { get; set; }

    /// <summary>Until its end has been taken notice of.</summary>
    public Fd? PidFd { get; set; }

    public EventLoop.Watch? Watch { get; set; }

    public ProcessStreams? Streams { get; set; }

    /// <summary>A thread is about to run its program.</summary>
    public bool IsStarting { get; set; }

    public bool HasStarted { get; set; }

    /// <summary>It has ended while it was being started, which is told first.</summary>
    public bool HasHeldEnd { get; set; }

    /// <summary>How it has ended, where that is known already while its end is held: its number may be another's by then.</summary>
    public WaitStatus? Reaped { get; set; }

    /// <summary>It has ended, and all have been told.</summary>
    public bool HasEnded { get; set; }

    /// <summary>Exit code, or 128 and the signal.</summary>
    public int ExitStatus { get; set; }

    public Instant ExitedAt { get; set; } = Instant.Never;

    /// <summary>Who waits for its end.</summary>
    public HashSet<Call> Waiters { get; } = [];

    /// <summary>Asked for before there were streams.</summary>
    public bool IsStdinClosed { get; set; }

    /// <inheritdoc cref="IsStdinClosed"/>
    public WindowDimensions? Size { get; set; }

    /// <summary>Who waits for its removal; null when nobody has asked for it.</summary>
    public List<Call>? Deleters { get; set; }

    /// <summary>Nothing is left of the container but its end, which is still to be told.</summary>
    public bool IsTakenApart { get; set; }

    public ProcessStatus Status =>
        HasEnded ? ProcessStatus.Stopped
        : !HasStarted ? ProcessStatus.Created
        : container.IsPausing ? ProcessStatus.Pausing
        : container.IsPaused ? ProcessStatus.Paused
        : ProcessStatus.Running;

    public void Dispose()
    {
        Watch?.Dispose();
        PidFd?.Dispose();
        // Whoever meant to look again at how it ended finds that it is nobody's any more.
        PidFd = null;
        Streams?.Dispose();
    }
}
