namespace OciRuntime.Linux;

/// <summary>One line of a timeline.</summary>
/// <param name="Process">Who did it.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Name">What was done.</param>
/// <param name="Start">Nanoseconds on a clock that all events have in common.</param>
/// <param name="Duration">Nanoseconds; 0 for what is a moment.</param>
internal sealed record TraceEvent(int Process, TraceKind Kind, string Name, long Start, long Duration)
{
    /// <summary>The JSON pointer of what asked for it, or "".</summary>
    public string Pointer { get; init; } = "";

    /// <summary>Further lines, where it takes more than one to say what is done.</summary>
    public string[] More { get; init; } = [];

    /// <summary>Of a step, as `explain` counts them, from 1; otherwise 0.</summary>
    public int Number { get; init; }

    /// <summary>With which it failed, by its name; or "".</summary>
    public string Errno { get; init; } = "";

    /// <summary>System calls that were made meanwhile, and the nanoseconds they took.</summary>
    public long Calls { get; init; }

    public long CallTime { get; init; }

    public long End => Start + Duration;
}

/// <summary>What takes time.</summary>
internal enum TraceKind
{
    /// <summary>The runtime's own work.</summary>
    Work,

    /// <summary>A step of the plan, which init takes.</summary>
    Step,

    /// <summary>A system call.</summary>
    Call,

    /// <summary>No time at all: it went wrong then.</summary>
    Failure,
}
