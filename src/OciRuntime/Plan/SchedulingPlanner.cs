using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>Scheduler, I/O priority, personality and memory policy as steps.</summary>
internal static class SchedulingPlanner
{
    /// <summary>In runc's order, while there are all capabilities and before a filter that may deny the calls.</summary>
    public static void AddSteps(Process process, LinuxConfig? linux, List<PlanStep> steps)
    {
        if (process.Scheduler is { } scheduler) steps.Add(new SchedulerStep(new("/process/scheduler"), Attributes(scheduler)));
        if (process.IoPriority is { } priority)
            steps.Add(new IoPriorityStep(Array.IndexOf(SpecWords.IoPriorityClasses, priority.Class) + 1, priority.Priority));
        if (linux?.Personality is { } personality) steps.Add(new PersonalityStep(is32Bit: personality.Domain == SpecWords.LINUX32));
        if (linux?.MemoryPolicy is { } policy) steps.Add(new MemoryPolicyStep(policy));
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
}
