using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>A program that the runtime starts on its own side: a hook.</summary>
internal sealed unsafe class HelperProgram
{
    public required string Path { get; init; }
    public required string[] Arguments { get; init; }

    /// <summary>Exactly this, or null for the caller's.</summary>
    public required string[]? Environment { get; init; }

    /// <summary>What it reads on stdin, as a rewound file.</summary>
    public required int Input { get; init; }

    /// <summary>Where its output goes, -1 for the result.</summary>
    public int Stdout { get; init; } = -1;

    public int Stderr { get; init; } = -1;

    /// <summary>Seconds until it is killed; 0 for no limit.</summary>
    public int TimeoutSeconds { get; init; }

    /// <summary>Where it starts; null for the caller's directory.</summary>
    public string? Directory { get; init; }

    /// <summary>Clones a process that executes it. Returns its pid, or a negated errno.</summary>
    /// <param name="output">Takes its output for the result.</param>
    /// <param name="report">Close-on-exec pipe that takes the errno when it cannot be executed.</param>
    /// <param name="pidfd">Its pidfd.</param>
    public long Clone(int output, int report, out int pidfd)
    {
        NativeArena arena = new();
        SpawnPlan plan = new()
        {
            Path = arena.Text(Path),
            Arguments = arena.Texts(Arguments),
            Environment = Environment is null ? arena.Texts(CallersEnvironment.Variables()) : arena.Texts(Environment),
            Input = Input,
            Output = Stdout >= 0 ? Stdout : output,
            ErrorOutput = Stderr >= 0 ? Stderr : output,
            Report = report,
            Directory = arena.Text(Directory),
        };
        long pid = Processes.Clone(0, out pidfd);
        if (pid == 0) Spawn.Run(&plan);
        arena.Free();
        return pid;
    }
}
