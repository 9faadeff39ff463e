using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct AffinityArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Affinity;

    /// <summary>Bit n for CPU n.</summary>
    public NativeArray<ulong> Cpus;
}

internal struct SchedulerArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Scheduler;
    public SchedAttr Schedule;
}

internal struct IoPriorityArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.IoPriority;

    /// <summary>Class and level, as ioprio_set(2) takes them.</summary>
    public int Priority;
}

internal struct PersonalityArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Personality;

    /// <summary>PER_….</summary>
    public int Persona;
}

internal struct MemoryPolicyArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.MemoryPolicy;

    /// <summary>Mode with flags.</summary>
    public int Mode;

    /// <summary>Bit n for node n.</summary>
    public NativeArray<ulong> Nodes;
}

/// <summary>When and where the process runs.</summary>
internal static unsafe class SchedulingSteps
{
    /// <summary>
    /// The caller's CPUs are not the container's: a shim that is pinned would otherwise pin all it starts. Refused only by a filter around
    /// the runtime, and then the container has fewer CPUs, but nothing it must not have; runc goes on, too.
    /// </summary>
    public static long ResetAffinity()
    {
        // See above.
        Scheduling.ResetAffinity();
        return 0;
    }

    /// <summary>What config.json asks for: a CPU that is not there is an error.</summary>
    public static long Affinity(AffinityArguments* wanted) => Scheduling.SetAffinity(wanted->Cpus.Items, wanted->Cpus.Count);

    public static long MemoryPolicy(MemoryPolicyArguments* policy) =>
        Scheduling.SetMemoryPolicy(policy->Mode, policy->Nodes.Items, policy->Nodes.Count);
}
