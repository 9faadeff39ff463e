using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>What the process returns, as runc does and its clients expect.</summary>
public static class ExitCodes
{
    public const int Success = 0;

    /// <summary>Any error of any command except exec and verify.</summary>
    public const int Failure = 1;

    /// <summary>verify could not tell. Distinct from 1, which is that something is not as promised.</summary>
    public const int Unverified = 2;

    /// <summary>exec could not run its program. Distinct from 1 so that a program's own failure is not mistaken for ours.</summary>
    public const int ExecFailure = 255;

    /// <summary>A foreground program that a signal ended, as a shell reports it.</summary>
    public static int ForSignal(int signal) => 128 + signal;

    /// <summary>The exit code for a wait status.</summary>
    internal static int ForStatus(WaitStatus status) => status.IsKilled ? ForSignal(status.Signal) : status.ExitStatus;
}
