using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Spec;
using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Plan;

internal sealed class ResetAffinityStep()
    : PlainStep(InitOp.ResetAffinity, StepChapter.Namespaces, Origin.Runtime,
        "run on every CPU that the cgroup allows, not on the caller's only");

/// <param name="origin">Where config.json asks for it.</param>
/// <param name="list">The CPUs as config.json has them.</param>
internal sealed class AffinityStep(Origin origin, string list) : PlanStep<AffinityArguments>(StepChapter.Namespaces, origin)
{
    protected override string Words => $"run on the CPUs {list}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EINVAL ? ": none of these CPUs is online and in the container's cpuset" : "";

    protected override AffinityArguments Compile(PlanCompiler compiler)
    {
        CpuList.TryParse(list, CpuList.MaxCpus, out ulong[] cpus);
        return new() { Cpus = compiler.Copy<ulong>(cpus) };
    }
}

internal sealed class SchedulerStep(Origin origin, SchedAttr schedule) : PlanStep<SchedulerArguments>(StepChapter.Privileges, origin)
{
    private const string Privilege = "CAP_SYS_NICE outside any user namespace";

    public SchedAttr Schedule => schedule;

    protected override string Words => Describe(Schedule);

    /// <summary>A scheduling policy with what goes with it.</summary>
    public static string Describe(in SchedAttr attributes)
    {
        string text = "schedule as " + SpecWords.SchedulerPolicies[attributes.Policy];
        if (attributes.Nice != 0) text += $", nice {attributes.Nice}";
        if (attributes.Priority != 0) text += $", priority {attributes.Priority}";
        ulong period = attributes.Period == 0 ? attributes.Deadline : attributes.Period;
        if (attributes.Deadline != 0) text += $", {attributes.Runtime} ns of every {period} ns within {attributes.Deadline} ns";
        for (int i = 0; i < SpecWords.SchedulerFlags.Length; i++)
        {
            if ((attributes.Flags >> i & 1) != 0) text += ", " + SpecWords.SchedulerFlags[i];
        }
        return text;
    }

    /// <summary>Its errno alone has several meanings (sched_setattr(2)).</summary>
    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        (SpecWords.SchedulerPolicies[Schedule.Policy], failure.Errno) switch
        {
            (SCHED_ISO, Errno.EINVAL) => ": the number is reserved, but no mainline kernel has this policy",
            (SCHED_DEADLINE, Errno.EBUSY) =>
                ": the CPUs have not as much left for SCHED_DEADLINE (sched_rt_runtime_us of sched_rt_period_us in /proc/sys/kernel, less "
                + "what other such processes have)",
            (SCHED_DEADLINE, Errno.EPERM) => $": takes {Privilege}, and every CPU of the host (no cpuset)",
            (SCHED_DEADLINE, Errno.EINVAL) => PeriodHint(Schedule.Period != 0 ? Schedule.Period : Schedule.Deadline),
            (SCHED_FIFO or SCHED_RR, Errno.EPERM) =>
                $": takes {Privilege} or RLIMIT_RTPRIO, and on cgroup v1 a share of real time (/linux/resources/cpu/realtimeRuntime)",
            (_, Errno.EPERM or Errno.EACCES) => $": takes {Privilege}, or RLIMIT_NICE",
            (_, Errno.EOPNOTSUPP) => ": the kernel has no utilization clamping (CONFIG_UCLAMP_TASK)",
            _ => "",
        };

    protected override SchedulerArguments Compile(PlanCompiler compiler) => new() { Schedule = Schedule };

    /// <summary>The bounds that an administrator sets for the period, where it is outside of them.</summary>
    private static string PeriodHint(ulong nanoseconds)
    {
        ulong? least = (ulong?)Setting("min"), most = (ulong?)Setting("max");
        return nanoseconds < least * 1000 || nanoseconds > most * 1000
            ? $": the period must be from {least} to {most} us (/proc/sys/kernel/sched_deadline_period_min_us, …_max_us)"
            : "";
    }

    private static long? Setting(string end) => Files.ReadNumber($"/proc/sys/kernel/sched_deadline_period_{end}_us");
}

/// <param name="kind">IOPRIO_CLASS_….</param>
/// <param name="level">Within the class.</param>
internal sealed class IoPriorityStep(int kind, int level)
    : PlanStep<IoPriorityArguments>(StepChapter.Privileges, new("/process/ioPriority"))
{
    /// <summary>As ioprio_set(2) takes it.</summary>
    public int Priority => (kind << Scheduling.IOPRIO_CLASS_SHIFT) | level;

    protected override string Words => $"set the I/O priority to {SpecWords.IoPriorityClasses[kind - 1]}, level {level}";

    protected override string Hint(LaunchPlan plan, in StepFailure failure) =>
        failure.Errno == Errno.EPERM && kind == 1 ? ": IOPRIO_CLASS_RT takes CAP_SYS_NICE or CAP_SYS_ADMIN outside any user namespace" : "";

    protected override IoPriorityArguments Compile(PlanCompiler compiler) =>
        new() { Priority = Priority };
}

internal sealed class PersonalityStep(bool is32Bit) : PlanStep<PersonalityArguments>(StepChapter.Privileges, new("/linux/personality"))
{
    public int Persona => is32Bit ? Scheduling.PER_LINUX32 : Scheduling.PER_LINUX;

    protected override string Words => $"set the personality to {(is32Bit ? LINUX32 : LINUX)}";

    protected override PersonalityArguments Compile(PlanCompiler compiler) =>
        new() { Persona = Persona };
}

internal sealed class MemoryPolicyStep(MemoryPolicy policy)
    : PlanStep<MemoryPolicyArguments>(StepChapter.Privileges, new("/linux/memoryPolicy"))
{
    public MemoryPolicy Policy => policy;

    protected override string Words
    {
        get
        {
            string text = $"set the memory policy to {policy.Mode}";
            foreach (string flag in SpecWords.MemoryPolicyFlags) if (Array.IndexOf(policy.Flags, flag) >= 0) text += ", " + flag;
            return string.IsNullOrEmpty(policy.Nodes) ? text : $"{text}, nodes {policy.Nodes}";
        }
    }

    protected override string Hint(LaunchPlan plan, in StepFailure failure) => failure.Errno switch
    {
        Errno.EINVAL => ": the cgroup allows none of these nodes, or the kernel does not know the mode or a flag",
        Errno.ENOSYS => ": the kernel has no NUMA support",
        _ => "",
    };

    protected override MemoryPolicyArguments Compile(PlanCompiler compiler)
    {
        int mode = Array.IndexOf(SpecWords.MemoryPolicyModes, policy.Mode);
        foreach (string flag in policy.Flags) mode |= 1 << (15 - Array.IndexOf(SpecWords.MemoryPolicyFlags, flag));
        ulong[] nodes = [];
        if (!string.IsNullOrEmpty(policy.Nodes)) CpuList.TryParse(policy.Nodes, CpuList.MaxNodes, out nodes);
        return new() { Mode = mode, Nodes = compiler.Copy<ulong>(nodes) };
    }
}
