namespace OciRuntime.Cli;

/// <summary>What the process returns, as runc does and its clients expect.</summary>
public static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Any error of any command except a failed exec.</summary>
    public const int Failure = 1;

    /// <summary>exec could not run its program. Distinct from 1 so that a program's own failure is not mistaken for ours.</summary>
    public const int ExecFailure = 255;

    /// <summary>A foreground program that a signal ended, as a shell reports it.</summary>
    public static int ForSignal(int signal) => 128 + signal;

    /// <summary>The exit code for a wait status (wait(2)).</summary>
    public static int ForStatus(int status) => (status & 0x7f) != 0 ? ForSignal(status & 0x7f) : status >> 8 & 0xff;
}
