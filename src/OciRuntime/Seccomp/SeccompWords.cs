using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Seccomp;

/// <summary>The spec's words for actions, operators and flags as the kernel's numbers. The validator has refused all others.</summary>
internal static class SeccompWords
{
    private const uint DefaultErrno = Errno.EPERM;

    /// <summary>SECCOMP_RET_ value. errno of ERRNO and message of TRACE are its low half; EPERM where the profile names none.</summary>
    public static uint Action(string word, uint? errno) => word switch
    {
        "SCMP_ACT_KILL_PROCESS" => SeccompFilter.RET_KILL_PROCESS,
        "SCMP_ACT_TRAP" => SeccompFilter.RET_TRAP,
        "SCMP_ACT_ERRNO" => SeccompFilter.RET_ERRNO | (errno ?? DefaultErrno),
        "SCMP_ACT_TRACE" => SeccompFilter.RET_TRACE | (errno ?? DefaultErrno),
        "SCMP_ACT_ALLOW" => SeccompFilter.RET_ALLOW,
        "SCMP_ACT_LOG" => SeccompFilter.RET_LOG,
        "SCMP_ACT_NOTIFY" => SeccompFilter.RET_USER_NOTIF,
        // KILL is the old name of KILL_THREAD.
        _ => SeccompFilter.RET_KILL_THREAD,
    };

    /// <summary>The comparison that a condition asks for.</summary>
    public static Comparison Operator(string word) => word switch
    {
        "SCMP_CMP_NE" => Comparison.NotEqual,
        "SCMP_CMP_LT" => Comparison.Less,
        "SCMP_CMP_LE" => Comparison.LessOrEqual,
        "SCMP_CMP_GE" => Comparison.GreaterOrEqual,
        "SCMP_CMP_GT" => Comparison.Greater,
        "SCMP_CMP_MASKED_EQ" => Comparison.MaskedEqual,
        _ => Comparison.Equal,
    };

    /// <summary>
    /// Flags for seccomp(2). An absent list means SPEC_ALLOW, as in runc: a filter otherwise switches off speculation for the process,
    /// which costs more than the filter itself. TSYNC has no effect on a process with one thread.
    /// </summary>
    public static uint Flags(LinuxSeccomp profile)
    {
        uint flags = profile.Flags == null ? SeccompFilter.FLAG_SPEC_ALLOW : 0;
        foreach (string word in profile.Flags ?? [])
        {
            flags |= Flag(word);
        }
        foreach (SeccompSyscall rule in profile.Syscalls) if (rule.Action == "SCMP_ACT_NOTIFY") return flags | SeccompFilter.FLAG_NEW_LISTENER;
        return flags;
    }

    /// <summary>True for a flag that this host's kernel takes.</summary>
    public static bool KernelKnows(string word)
    {
        uint flag = Flag(word);
        return SeccompFilter.KnowsFlags(flag == SeccompFilter.FLAG_WAIT_KILLABLE_RECV ? flag | SeccompFilter.FLAG_NEW_LISTENER : flag);
    }

    private static uint Flag(string word) => word switch
    {
        "SECCOMP_FILTER_FLAG_LOG" => SeccompFilter.FLAG_LOG,
        "SECCOMP_FILTER_FLAG_SPEC_ALLOW" => SeccompFilter.FLAG_SPEC_ALLOW,
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV" => SeccompFilter.FLAG_WAIT_KILLABLE_RECV,
        _ => 0,
    };

    /// <summary>An action in words, for `explain` and errors.</summary>
    public static string Describe(uint action)
    {
        uint data = action & ~SeccompFilter.RET_ACTION_FULL;
        return (action & SeccompFilter.RET_ACTION_FULL) switch
        {
            SeccompFilter.RET_KILL_PROCESS => "KILL_PROCESS",
            SeccompFilter.RET_KILL_THREAD => "KILL_THREAD",
            SeccompFilter.RET_TRAP => "TRAP",
            SeccompFilter.RET_ERRNO => $"ERRNO({ErrnoText.Name((int)data)})",
            SeccompFilter.RET_TRACE => $"TRACE({data})",
            SeccompFilter.RET_LOG => "LOG",
            SeccompFilter.RET_USER_NOTIF => "NOTIFY",
            _ => "ALLOW",
        };
    }
}
