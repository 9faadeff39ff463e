using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Spec;

/// <summary>When and where the process runs: scheduler, I/O priority, CPUs, memory policy, personality.</summary>
public static partial class SpecValidator
{
    // __checkparam_dl() of the kernel: the scheduler's resolution.
    private const ulong MinDeadlineRuntime = 1024;

    // sched_setattr(2); where it only ignores a value, so do we, with a warning.
    private static void CheckScheduler(Scheduler scheduler, string at, SpecProblems problems)
    {
        CheckWord(scheduler.Policy, SpecWords.SchedulerPolicies, $"{at}/policy", problems);
        CheckWords(scheduler.Flags, SpecWords.SchedulerFlags, $"{at}/flags", problems);
        CheckNice(scheduler, $"{at}/nice", problems);
        bool isRealTime = scheduler.Policy is SCHED_FIFO or SCHED_RR;
        int priority = scheduler.Priority ?? 0;
        if (isRealTime && priority is (< 1 or > 99))
            problems.Error($"{at}/priority", SpecText.Show(priority), $"must be from 1 to 99 for {scheduler.Policy}");
        else if (!isRealTime && priority != 0)
            problems.Error($"{at}/priority", SpecText.Show(priority), "is only for SCHED_FIFO and SCHED_RR");
        if (scheduler.Policy == SCHED_DEADLINE) CheckDeadline(scheduler, at, problems);
        else if ((scheduler.Runtime ?? 0) != 0 || (scheduler.Deadline ?? 0) != 0 || (scheduler.Period ?? 0) != 0)
            problems.Error(at, null, "has runtime, deadline or period, which are only for SCHED_DEADLINE");
    }

    private static void CheckNice(Scheduler scheduler, string pointer, SpecProblems problems)
    {
        if (scheduler.Nice is not { } nice || nice == 0) return;
        if (scheduler.Policy is not (SCHED_OTHER or SCHED_BATCH))
            problems.Warn(pointer, SpecText.Show(nice), "has no effect: it is only for SCHED_OTHER and SCHED_BATCH");
        else if (nice is < -20 or > 19) problems.Error(pointer, SpecText.Show(nice), "must be from -20 to 19");
    }

    private static void CheckDeadline(Scheduler scheduler, string at, SpecProblems problems)
    {
        ulong runtime = scheduler.Runtime ?? 0, deadline = scheduler.Deadline ?? 0, period = scheduler.Period ?? 0;
        if (runtime < MinDeadlineRuntime)
        {
            problems.Error($"{at}/runtime", SpecText.Show(runtime),
                $"must be at least {MinDeadlineRuntime} (nanoseconds) for SCHED_DEADLINE");
        }
        if (deadline < runtime || deadline is 0 or > long.MaxValue)
        {
            problems.Error($"{at}/deadline", SpecText.Show(deadline),
                $"must be from runtime ({SpecText.Show(runtime)}) to 2^63-1 (nanoseconds) for SCHED_DEADLINE");
        }
        // Without one, the period is the deadline.
        else if (period != 0 && (period < deadline || period > long.MaxValue))
        {
            problems.Error($"{at}/period", SpecText.Show(period),
                $"must be from deadline ({SpecText.Show(deadline)}) to 2^63-1 (nanoseconds), or 0");
        }
    }

    private static void CheckIoPriority(IoPriority priority, string at, SpecProblems problems)
    {
        CheckWord(priority.Class, SpecWords.IoPriorityClasses, $"{at}/class", problems);
        if (priority.Priority is < 0 or > 7) problems.Error($"{at}/priority", SpecText.Show(priority.Priority), "must be from 0 to 7");
    }

    // An empty list is how engines write "unset".
    private static void CheckAffinity(string? list, string pointer, SpecProblems problems)
    {
        if (!string.IsNullOrEmpty(list) && !CpuList.TryParse(list, CpuList.MaxCpus, out _))
        {
            problems.Error(pointer, SpecText.Quote(list),
                $"must be a list like 0-3,7 of CPUs below {CpuList.MaxCpus}, none of them over and over");
        }
    }

    private static void CheckPersonality(Personality personality, SpecProblems problems)
    {
        CheckWord(personality.Domain, SpecWords.PersonalityDomains, "/linux/personality/domain", problems);
        for (int i = 0; i < personality.Flags.Length; i++)
        {
            problems.Warn($"/linux/personality/flags/{i}", SpecText.Quote(personality.Flags[i]),
                "is ignored: the specification defines no flags");
        }
    }

    // set_mempolicy(2), whose EINVAL does not say which of these it is.
    private static void CheckMemoryPolicy(MemoryPolicy policy, SpecProblems problems)
    {
        const string at = "/linux/memoryPolicy";
        CheckWord(policy.Mode, SpecWords.MemoryPolicyModes, $"{at}/mode", problems);
        CheckWords(policy.Flags, SpecWords.MemoryPolicyFlags, $"{at}/flags", problems);
        bool hasNodes = !string.IsNullOrEmpty(policy.Nodes);
        if (hasNodes && !CpuList.TryParse(policy.Nodes!, CpuList.MaxNodes, out _))
        {
            problems.Error($"{at}/nodes", SpecText.Quote(policy.Nodes!),
                $"must be a list like 0-3,7 of nodes below {CpuList.MaxNodes}, none of them over and over");
        }
        if (policy.Mode is MPOL_DEFAULT or MPOL_LOCAL && hasNodes)
            problems.Error($"{at}/nodes", SpecText.Quote(policy.Nodes!), $"must be empty for {policy.Mode}");
        if (policy.Mode is MPOL_BIND or MPOL_INTERLEAVE or MPOL_PREFERRED_MANY or MPOL_WEIGHTED_INTERLEAVE && !hasNodes)
            problems.Error($"{at}/nodes", null, $"must not be empty for {policy.Mode}");
        CheckMemoryPolicyFlags(policy, hasNodes, $"{at}/flags", problems);
    }

    private static void CheckMemoryPolicyFlags(MemoryPolicy policy, bool hasNodes, string at, SpecProblems problems)
    {
        bool isStatic = SpecWords.Has(policy.Flags, MPOL_F_STATIC_NODES);
        bool isRelative = SpecWords.Has(policy.Flags, MPOL_F_RELATIVE_NODES);
        if (isStatic && isRelative) problems.Error(at, null, "has MPOL_F_STATIC_NODES and MPOL_F_RELATIVE_NODES, which exclude each other");
        else if ((isStatic || isRelative) && !hasNodes && policy.Mode is MPOL_PREFERRED or MPOL_LOCAL)
            problems.Error(at, null, "says how to read nodes, and there are none");
        if (SpecWords.Has(policy.Flags, MPOL_F_NUMA_BALANCING) && policy.Mode is not (MPOL_BIND or MPOL_PREFERRED_MANY))
            problems.Error(at, null, "has MPOL_F_NUMA_BALANCING, which is only for MPOL_BIND and MPOL_PREFERRED_MANY");
    }
}
