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
        ("SCHED_DEADLINE", Errno.EBUSY) => ": other SCHED_DEADLINE processes leave no room for this runtime per period",
        ("SCHED_DEADLINE", Errno.EPERM) => $": takes {Privilege}, and every CPU of the host (no cpuset)",
        ("SCHED_DEADLINE", Errno.EINVAL) => ": is the period within /proc/sys/kernel/sched_deadline_period_min_us and …_max_us?",
        ("SCHED_FIFO" or "SCHED_RR", Errno.EPERM) => $": takes {Privilege} or RLIMIT_RTPRIO, and on cgroup v1 a share of real time (/linux/resources/cpu/realtimeRuntime)",
        (_, Errno.EPERM or Errno.EACCES) => $": takes {Privilege}, or RLIMIT_NICE",
        (_, Errno.EOPNOTSUPP) => ": the kernel has no utilization clamping (CONFIG_UCLAMP_TASK)",
        _ => "",
    };
}
