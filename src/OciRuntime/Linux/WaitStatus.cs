namespace OciRuntime.Linux;

/// <summary>How a process has ended, as wait(2) tells it.</summary>
/// <param name="Value">The signal in the lowest seven bits, above them whether there is a core dump, then the exit status.</param>
internal readonly record struct WaitStatus(int Value)
{
    /// <summary>The signal that has ended it, or 0.</summary>
    public int Signal => Value & 0x7f;

    /// <summary>What it has given to exit(2); meaningless when a signal has ended it.</summary>
    public int ExitStatus => Value >> 8 & 0xff;

    public bool IsKilled => Signal != 0;

    /// <summary>It has ended by itself and says that all is well.</summary>
    public bool Succeeded => Value == 0;

    /// <summary>The status of one that was killed by a signal.</summary>
    public static WaitStatus Killed(int signal) => new(signal);

    /// <summary>"killed by signal 9", "exit status 1".</summary>
    public override string ToString() => IsKilled ? $"killed by signal {Signal}" : $"exit status {ExitStatus}";
}
