using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>Why the kernel refuses a scheduling policy: its errno alone has several meanings (sched_setattr(2)).</summary>
internal static class SchedulingHint
{
    private const string Privilege = "CAP_SYS_NICE outside any user namespace";

    public static string Scheduler(in SchedAttr attributes, int errno) => (SpecWords.SchedulerPolicies[attributes.Policy], errno) switch
    {
        ("SCHED_ISO", Errno.EINVAL) => ": the number is reserved, but no mainline kernel has this policy",
        ("SCHED_DEADLINE", Errno.EBUSY) => ": the CPUs have not as much left for SCHED_DEADLINE (sched_rt_runtime_us of sched_rt_period_us in /proc/sys/kernel, less what other such processes have)",
        ("SCHED_DEADLINE", Errno.EPERM) => $": takes {Privilege}, and every CPU of the host (no cpuset)",
        ("SCHED_DEADLINE", Errno.EINVAL) => Period(attributes.Period != 0 ? attributes.Period : attributes.Deadline),
        ("SCHED_FIFO" or "SCHED_RR", Errno.EPERM) => $": takes {Privilege} or RLIMIT_RTPRIO, and on cgroup v1 a share of real time (/linux/resources/cpu/realtimeRuntime)",
        (_, Errno.EPERM or Errno.EACCES) => $": takes {Privilege}, or RLIMIT_NICE",
        (_, Errno.EOPNOTSUPP) => ": the kernel has no utilization clamping (CONFIG_UCLAMP_TASK)",
        _ => "",
    };

    /// <summary>The bounds that an administrator sets for the period, where it is outside of them.</summary>
    private static string Period(ulong nanoseconds)
    {
        ulong? least = (ulong?)Setting("min"), most = (ulong?)Setting("max");
        return nanoseconds < least * 1000 || nanoseconds > most * 1000 ? $": the period must be from {least} to {most} us (/proc/sys/kernel/sched_deadline_period_min_us, …_max_us)" : "";
    }

    private static long? Setting(string end) => Files.ReadNumber($"/proc/sys/kernel/sched_deadline_period_{end}_us");
}
