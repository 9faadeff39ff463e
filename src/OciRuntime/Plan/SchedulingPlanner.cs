using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>Scheduler, I/O priority, personality and memory policy as steps, and their words.</summary>
internal static class SchedulingPlanner
{
    /// <summary>In runc's order, while there are all capabilities and before a filter that may deny the calls.</summary>
    public static void AddSteps(Process process, LinuxConfig? linux, List<PlanStep> steps)
    {
        if (process.Scheduler is { } scheduler) steps.Add(new(InitOp.Scheduler, new("/process/scheduler")) { Schedule = Attributes(scheduler) });
        if (process.IoPriority is { } priority)
        {
            int kind = Array.IndexOf(SpecWords.IoPriorityClasses, priority.Class) + 1;
            steps.Add(new(InitOp.IoPriority, new("/process/ioPriority")) { A = (kind << Scheduling.IOPRIO_CLASS_SHIFT) | priority.Priority });
        }
        if (linux?.Personality is { } personality)
        {
            steps.Add(new(InitOp.Personality, new("/linux/personality")) { A = personality.Domain == "LINUX32" ? Scheduling.PER_LINUX32 : Scheduling.PER_LINUX });
        }
        if (linux?.MemoryPolicy is { } policy)
        {
            ulong[] nodes = [];
            if (!string.IsNullOrEmpty(policy.Nodes)) CpuList.TryParse(policy.Nodes, CpuList.MaxNodes, out nodes);
            steps.Add(new(InitOp.MemoryPolicy, new("/linux/memoryPolicy")) { A = Mode(policy), Nodes = nodes, Text1 = policy.Nodes });
        }
    }

    /// <summary>A scheduling policy with what goes with it.</summary>
    public static string Describe(in SchedAttr attributes)
    {
        string text = "schedule as " + SpecWords.SchedulerPolicies[attributes.Policy];
        if (attributes.Nice != 0) text += $", nice {attributes.Nice}";
        if (attributes.Priority != 0) text += $", priority {attributes.Priority}";
        if (attributes.Deadline != 0) text += $", {attributes.Runtime} ns of every {(attributes.Period == 0 ? attributes.Deadline : attributes.Period)} ns within {attributes.Deadline} ns";
        for (int i = 0; i < SpecWords.SchedulerFlags.Length; i++)
        {
            if ((attributes.Flags >> i & 1) != 0) text += ", " + SpecWords.SchedulerFlags[i];
        }
        return text;
    }

    /// <summary>An I/O priority.</summary>
    public static string IoPriority(long priority) =>
        $"set the I/O priority to {SpecWords.IoPriorityClasses[(priority >> Scheduling.IOPRIO_CLASS_SHIFT) - 1]}, level {priority & 7}";

    /// <summary>A memory policy.</summary>
    public static string MemoryPolicy(long mode, string? nodes)
    {
        string text = "set the memory policy to " + SpecWords.MemoryPolicyModes[mode & 0xfff];
        for (int i = 0; i < SpecWords.MemoryPolicyFlags.Length; i++)
        {
            if ((mode & FlagBit(i)) != 0) text += ", " + SpecWords.MemoryPolicyFlags[i];
        }
        return string.IsNullOrEmpty(nodes) ? text : $"{text}, nodes {nodes}";
    }

    private static unsafe SchedAttr Attributes(Scheduler scheduler)
    {
        ulong flags = 0;
        foreach (string flag in scheduler.Flags) flags |= 1UL << Array.IndexOf(SpecWords.SchedulerFlags, flag);
        return new SchedAttr
        {
            Size = (uint)sizeof(SchedAttr),
            Policy = (uint)Array.IndexOf(SpecWords.SchedulerPolicies, scheduler.Policy),
            Flags = flags,
            Nice = scheduler.Nice ?? 0,
            Priority = (uint)(scheduler.Priority ?? 0),
            Runtime = scheduler.Runtime ?? 0,
            Deadline = scheduler.Deadline ?? 0,
            Period = scheduler.Period ?? 0,
        };
    }

    private static long Mode(MemoryPolicy policy)
    {
        long mode = Array.IndexOf(SpecWords.MemoryPolicyModes, policy.Mode);
        foreach (string flag in policy.Flags) mode |= FlagBit(Array.IndexOf(SpecWords.MemoryPolicyFlags, flag));
        return mode;
    }

    private static long FlagBit(int index) => 1L << (15 - index);
}
