using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>
/// A program of the host that goes on beside the runtime: one that it talks to, or the shim. Where nothing else is said, stdio, session,
/// directory and environment are the caller's.
/// </summary>
internal sealed unsafe class CompanionProgram
{
    public required string Path { get; init; }
    public required string[] Arguments { get; init; }

    /// <summary>Descriptors that it has as 3, 4, …</summary>
    public required int[] Channels { get; init; }

    /// <summary>Exactly this, or null for the caller's but for what says where to report readiness, which is his own affair.</summary>
    public string[]? Environment { get; init; }

    /// <summary>What it has as stdin, stdout and stderr, in a session of its own; null for the caller's.</summary>
    public int[]? Stdio { get; init; }

    /// <summary>
    /// Detached mounts and the absolute paths at which they are attached in a mount namespace of the program's own; with none, it is in the
    /// caller's.
    /// </summary>
    public (int Tree, string Target)[] Trees { get; init; } = [];

    /// <summary>Clones a process that executes it. Returns its pid, or a negated errno.</summary>
    /// <param name="channels">Copies of <see cref="Channels"/>, above the numbers that these are to get.</param>
    /// <param name="report">Close-on-exec pipe that takes the errno when it cannot be executed.</param>
    /// <param name="pidfd">Its pidfd.</param>
    public long Clone(List<Fd> channels, int report, out int pidfd)
    {
        NativeArena arena = new();
        SpawnPlan plan = new()
        {
            Path = arena.Text(Path),
            Arguments = arena.Texts(Arguments),
            Environment = Environment is null ? arena.Texts(CallersEnvironment.Variables("NOTIFY_SOCKET=")) : arena.Texts(Environment),
            Input = Stdio is null ? -1 : Stdio[0],
            Output = Stdio is null ? -1 : Stdio[1],
            ErrorOutput = Stdio is null ? -1 : Stdio[2],
            Report = report,
            Survives = true,
            Attached = Stdio is null,
            Channels = arena.Copy<int>([.. channels.ConvertAll(static channel => channel.Number)]),
            Trees = arena.Copy<int>(Array.ConvertAll(Trees, static one => one.Tree)),
            TreeTargets = arena.Texts(Array.ConvertAll(Trees, static one => one.Target)),
        };
        long pid = Processes.Clone(Trees.Length == 0 ? 0 : Processes.CLONE_NEWNS, out pidfd);
        if (pid == 0) Spawn.Run(&plan);
        arena.Free();
        return pid;
    }
}
