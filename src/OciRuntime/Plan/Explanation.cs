namespace OciRuntime.Plan;

/// <summary>Something the runtime itself does, in words.</summary>
/// <param name="Text">What is done.</param>
/// <param name="Pointer">Where config.json asks for it, or "" for what the runtime does on its own.</param>
internal readonly record struct RuntimeAction(string Text, string Pointer = "");

/// <summary>A launch in words: what `explain` prints. The order of the members is the order of the events.</summary>
internal sealed class Explanation
{
    public required string Id { get; init; }
    public required string Bundle { get; init; }

    /// <summary>The configuration file.</summary>
    public required string Config { get; init; }

    public required string Rootfs { get; init; }

    /// <summary>What `create` would warn about, and what it would refuse because of its command line.</summary>
    public required List<string> Warnings { get; init; }

    /// <summary>What the runtime does before the container's process exists.</summary>
    public required List<RuntimeAction> Prepare { get; init; }

    /// <summary>Device rules as the kernel enforces them; a later one overrides an earlier one.</summary>
    public required string[] DeviceRules { get; init; }

    /// <summary>The program that the rules become for a v2 cgroup, an instruction a line; empty where v1 has the controller.</summary>
    public required string[] DeviceProgram { get; init; }

    /// <summary>The v2 cgroup in which the process is born, or null.</summary>
    public required string? BornIn { get; init; }

    /// <summary>What the runtime does with the process once it is there.</summary>
    public required List<RuntimeAction> Adopt { get; init; }

    public required LaunchPlan Plan { get; init; }

    /// <summary>What the runtime does while the child waits for it, by step; nothing for most.</summary>
    public required Func<PlanStep, List<RuntimeAction>> Answers { get; init; }

    /// <summary>What `start` adds when the program runs.</summary>
    public required List<RuntimeAction> Start { get; init; }

    /// <summary>What `delete` does.</summary>
    public required List<RuntimeAction> Delete { get; init; }
}
