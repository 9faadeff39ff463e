namespace OciRuntime.Spec;

/// <summary>config.md, "Process"; also the whole of the file given to <c>exec --process</c>.</summary>
public sealed class Process
{
    /// <summary>Attach a pseudo-terminal.</summary>
    public bool Terminal { get; internal set; }

    /// <summary>Initial size of the terminal; ignored without one.</summary>
    public ConsoleSize? ConsoleSize { get; internal set; }

    /// <summary>Absolute working directory inside the container.</summary>
    public string Cwd { get; internal set; } = "";

    /// <summary>Environment, NAME=VALUE.</summary>
    public string[] Env { get; internal set; } = [];

    /// <summary>argv of execvp(3).</summary>
    public string[] Args { get; internal set; } = [];

    /// <summary>Who the process runs as; root when absent.</summary>
    public User User { get; internal set; } = new();

    /// <summary>Capability sets; null means all empty.</summary>
    public ProcessCapabilities? Capabilities { get; internal set; }

    /// <summary>Resource limits, setrlimit(2).</summary>
    public Rlimit[] Rlimits { get; internal set; } = [];

    /// <summary>PR_SET_NO_NEW_PRIVS.</summary>
    public bool NoNewPrivileges { get; internal set; }

    /// <summary>AppArmor profile of the process.</summary>
    public string? ApparmorProfile { get; internal set; }

    /// <summary>oom_score_adj, -1000..1000; null leaves the inherited value.</summary>
    public int? OomScoreAdj { get; internal set; }

    /// <summary>sched_setattr(2).</summary>
    public Scheduler? Scheduler { get; internal set; }

    /// <summary>SELinux label of the process.</summary>
    public string? SelinuxLabel { get; internal set; }

    /// <summary>ioprio_set(2).</summary>
    public IoPriority? IoPriority { get; internal set; }

    /// <summary>CPU affinity of processes added by exec; no effect on the container's first process.</summary>
    public ExecCPUAffinity? ExecCPUAffinity { get; internal set; }
}

/// <summary>config.md, "User" (POSIX).</summary>
public sealed class User
{
    /// <summary>User id inside the container.</summary>
    public uint Uid { get; internal set; }

    /// <summary>Group id inside the container.</summary>
    public uint Gid { get; internal set; }

    /// <summary>umask(2); null leaves the choice to the runtime.</summary>
    public uint? Umask { get; internal set; }

    /// <summary>Supplementary group ids.</summary>
    public uint[] AdditionalGids { get; internal set; } = [];
}

/// <summary>Size of a terminal in characters.</summary>
public sealed class ConsoleSize
{
    /// <summary>Rows.</summary>
    public uint Height { get; internal set; }

    /// <summary>Columns.</summary>
    public uint Width { get; internal set; }
}

/// <summary>config.md, "Linux Process": names as in capabilities(7), CAP_ prefix included.</summary>
public sealed class ProcessCapabilities
{
    /// <summary>Bounding set.</summary>
    public string[] Bounding { get; internal set; } = [];

    /// <summary>Effective set.</summary>
    public string[] Effective { get; internal set; } = [];

    /// <summary>Inheritable set.</summary>
    public string[] Inheritable { get; internal set; } = [];

    /// <summary>Permitted set.</summary>
    public string[] Permitted { get; internal set; } = [];

    /// <summary>Ambient set.</summary>
    public string[] Ambient { get; internal set; } = [];
}

/// <summary>One resource limit; config.md, "POSIX process".</summary>
public sealed class Rlimit
{
    /// <summary>RLIMIT_NOFILE and so on.</summary>
    public string Type { get; internal set; } = "";

    /// <summary>Soft limit; RLIM_INFINITY is 2^64-1.</summary>
    public ulong Soft { get; internal set; }

    /// <summary>Hard limit.</summary>
    public ulong Hard { get; internal set; }
}

/// <summary>sched_setattr(2) in words; config.md, "Linux Process".</summary>
public sealed class Scheduler
{
    /// <summary>SCHED_OTHER, SCHED_FIFO, ...</summary>
    public string Policy { get; internal set; } = "";

    /// <summary>Nice value, -20..19, for SCHED_OTHER and SCHED_BATCH.</summary>
    public int? Nice { get; internal set; }

    /// <summary>Static priority, 1..99, for SCHED_FIFO and SCHED_RR.</summary>
    public int? Priority { get; internal set; }

    /// <summary>SCHED_FLAG_ words.</summary>
    public string[] Flags { get; internal set; } = [];

    /// <summary>SCHED_DEADLINE: run time per period, ns.</summary>
    public ulong? Runtime { get; internal set; }

    /// <summary>SCHED_DEADLINE: relative deadline, ns.</summary>
    public ulong? Deadline { get; internal set; }

    /// <summary>SCHED_DEADLINE: period, ns.</summary>
    public ulong? Period { get; internal set; }
}

/// <summary>I/O scheduling class; config.md, "Linux Process".</summary>
public sealed class IoPriority
{
    /// <summary>IOPRIO_CLASS_RT, IOPRIO_CLASS_BE or IOPRIO_CLASS_IDLE.</summary>
    public string Class { get; internal set; } = "";

    /// <summary>Priority within the class, 0 (highest) to 7.</summary>
    public int Priority { get; internal set; }
}

/// <summary>CPU lists ("0-3,7") of exec'd processes; config.md, "Linux Process".</summary>
public sealed class ExecCPUAffinity
{
    /// <summary>Before the process is moved into the container's cgroup.</summary>
    public string? Initial { get; internal set; }

    /// <summary>After it.</summary>
    public string? Final { get; internal set; }
}
