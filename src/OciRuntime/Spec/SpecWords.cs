namespace OciRuntime.Spec;

/// <summary>The vocabularies of the specification that are not tables of the kernel's; those are in Linux/.</summary>
internal static class SpecWords
{
    public const string SCHED_OTHER = nameof(SCHED_OTHER), SCHED_FIFO = nameof(SCHED_FIFO), SCHED_RR = nameof(SCHED_RR),
        SCHED_BATCH = nameof(SCHED_BATCH), SCHED_ISO = nameof(SCHED_ISO), SCHED_IDLE = nameof(SCHED_IDLE),
        SCHED_DEADLINE = nameof(SCHED_DEADLINE);

    /// <summary>sched(7), in the order of their numbers.</summary>
    public static readonly string[] SchedulerPolicies =
        [SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE];

    /// <summary>sched_setattr(2), in the order of their bits from 1 on.</summary>
    public static readonly string[] SchedulerFlags =
    [
        "SCHED_FLAG_RESET_ON_FORK", "SCHED_FLAG_RECLAIM", "SCHED_FLAG_DL_OVERRUN", "SCHED_FLAG_KEEP_POLICY", "SCHED_FLAG_KEEP_PARAMS",
        "SCHED_FLAG_UTIL_CLAMP_MIN", "SCHED_FLAG_UTIL_CLAMP_MAX",
    ];

    /// <summary>ioprio_set(2), in the order of their numbers from 1 on.</summary>
    public static readonly string[] IoPriorityClasses = ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"];

    public const string LINUX = nameof(LINUX), LINUX32 = nameof(LINUX32);

    /// <summary>config-linux.md, "Personality".</summary>
    public static readonly string[] PersonalityDomains = [LINUX, LINUX32];

    public const string MPOL_DEFAULT = nameof(MPOL_DEFAULT), MPOL_PREFERRED = nameof(MPOL_PREFERRED), MPOL_BIND = nameof(MPOL_BIND),
        MPOL_INTERLEAVE = nameof(MPOL_INTERLEAVE), MPOL_LOCAL = nameof(MPOL_LOCAL), MPOL_PREFERRED_MANY = nameof(MPOL_PREFERRED_MANY),
        MPOL_WEIGHTED_INTERLEAVE = nameof(MPOL_WEIGHTED_INTERLEAVE);

    /// <summary>set_mempolicy(2), in the order of their numbers.</summary>
    public static readonly string[] MemoryPolicyModes =
    [
        MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_PREFERRED_MANY, MPOL_WEIGHTED_INTERLEAVE,
    ];

    public const string MPOL_F_STATIC_NODES = nameof(MPOL_F_STATIC_NODES), MPOL_F_RELATIVE_NODES = nameof(MPOL_F_RELATIVE_NODES),
        MPOL_F_NUMA_BALANCING = nameof(MPOL_F_NUMA_BALANCING);

    /// <summary>set_mempolicy(2), in the order of their bits from 1 &lt;&lt; 15 downwards.</summary>
    public static readonly string[] MemoryPolicyFlags = [MPOL_F_STATIC_NODES, MPOL_F_RELATIVE_NODES, MPOL_F_NUMA_BALANCING];

    /// <summary>config-linux.md, "Rootfs Mount Propagation", and the recursive forms that runc takes too.</summary>
    public static readonly string[] Propagations =
        ["private", "shared", "slave", "unbindable", "rprivate", "rshared", "rslave", "runbindable"];

    /// <summary>Mount options that a label can become: mount(8), "SELinux security context".</summary>
    public static readonly string[] MountContextTypes = ["context", "fscontext", "defcontext", "rootcontext"];

    /// <summary>time_namespaces(7).</summary>
    public static readonly string[] Clocks = ["monotonic", "boottime"];

    public const string SCMP_ACT_KILL = nameof(SCMP_ACT_KILL), SCMP_ACT_KILL_PROCESS = nameof(SCMP_ACT_KILL_PROCESS),
        SCMP_ACT_KILL_THREAD = nameof(SCMP_ACT_KILL_THREAD), SCMP_ACT_TRAP = nameof(SCMP_ACT_TRAP), SCMP_ACT_ERRNO = nameof(SCMP_ACT_ERRNO),
        SCMP_ACT_TRACE = nameof(SCMP_ACT_TRACE), SCMP_ACT_ALLOW = nameof(SCMP_ACT_ALLOW), SCMP_ACT_LOG = nameof(SCMP_ACT_LOG),
        SCMP_ACT_NOTIFY = nameof(SCMP_ACT_NOTIFY);

    /// <summary>config-linux.md, "Seccomp".</summary>
    public static readonly string[] SeccompActions =
    [
        SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE,
        SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY,
    ];

    /// <summary>config-linux.md, "Seccomp"; those with a table of system calls first, in the order of Seccomp/SeccompArch.cs.</summary>
    public static readonly string[] SeccompArchitectures =
    [
        "SCMP_ARCH_X86", "SCMP_ARCH_X86_64", "SCMP_ARCH_X32", "SCMP_ARCH_ARM", "SCMP_ARCH_AARCH64", "SCMP_ARCH_MIPS", "SCMP_ARCH_MIPS64",
        "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64",
        "SCMP_ARCH_PPC64LE", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_RISCV64",
        "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB",
    ];

    public const string SECCOMP_FILTER_FLAG_TSYNC = nameof(SECCOMP_FILTER_FLAG_TSYNC),
        SECCOMP_FILTER_FLAG_LOG = nameof(SECCOMP_FILTER_FLAG_LOG), SECCOMP_FILTER_FLAG_SPEC_ALLOW = nameof(SECCOMP_FILTER_FLAG_SPEC_ALLOW),
        SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV = nameof(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV);

    /// <summary>seccomp(2).</summary>
    public static readonly string[] SeccompFlags =
    [
        SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_FILTER_FLAG_LOG, SECCOMP_FILTER_FLAG_SPEC_ALLOW, SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
    ];

    public const string SCMP_CMP_NE = nameof(SCMP_CMP_NE), SCMP_CMP_LT = nameof(SCMP_CMP_LT), SCMP_CMP_LE = nameof(SCMP_CMP_LE),
        SCMP_CMP_EQ = nameof(SCMP_CMP_EQ), SCMP_CMP_GE = nameof(SCMP_CMP_GE), SCMP_CMP_GT = nameof(SCMP_CMP_GT),
        SCMP_CMP_MASKED_EQ = nameof(SCMP_CMP_MASKED_EQ);

    /// <summary>config-linux.md, "Seccomp".</summary>
    public static readonly string[] SeccompOperators =
    [
        SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ,
    ];

    /// <summary>Sysctls of the ipc namespace, as paths below /proc/sys; ipc_namespaces(7).</summary>
    private static readonly string[] IpcSysctls =
    [
        "kernel/msgmax", "kernel/msgmnb", "kernel/msgmni", "kernel/sem", "kernel/shmall", "kernel/shmmax", "kernel/shmmni",
        "kernel/shm_rmid_forced",
    ];

    /// <summary>
    /// The kind of namespaces that a setting belongs to, as a word of linux.namespaces; null for one of the whole machine.
    /// </summary>
    /// <param name="path">Below /proc/sys.</param>
    public static string? NamespaceOfSysctl(string path) =>
        path.StartsWith("net/", StringComparison.Ordinal) ? "network"
            : path.StartsWith("fs/mqueue/", StringComparison.Ordinal) || Has(IpcSysctls, path) ? "ipc"
            : path.StartsWith("user/", StringComparison.Ordinal) ? "user"
            : path is "kernel/hostname" or "kernel/domainname" ? "uts"
            : null;

    /// <summary>Exact, case included: the kernel's own words have one spelling.</summary>
    public static bool Has(string[] words, ReadOnlySpan<char> word)
    {
        foreach (string one in words) if (word.SequenceEqual(one)) return true;
        return false;
    }
}
