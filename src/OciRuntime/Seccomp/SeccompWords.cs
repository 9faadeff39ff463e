using OciRuntime.Linux;
using OciRuntime.Spec;
using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Seccomp;

/// <summary>The spec's words for actions, operators and flags as the kernel's numbers. The validator has refused all others.</summary>
internal static class SeccompWords
{
    private const uint DefaultErrno = Errno.EPERM;
    private const string ActionPrefix = "SCMP_ACT_";

    /// <summary>The first word of an action is the one by which it is described.</summary>
    private static readonly (string Word, uint Action)[] Actions =
    [
        (SCMP_ACT_ALLOW, SeccompFilter.RET_ALLOW),
        (SCMP_ACT_ERRNO, SeccompFilter.RET_ERRNO),
        (SCMP_ACT_KILL_PROCESS, SeccompFilter.RET_KILL_PROCESS),
        (SCMP_ACT_KILL_THREAD, SeccompFilter.RET_KILL_THREAD),
        // The old name.
        (SCMP_ACT_KILL, SeccompFilter.RET_KILL_THREAD),
        (SCMP_ACT_TRAP, SeccompFilter.RET_TRAP),
        (SCMP_ACT_TRACE, SeccompFilter.RET_TRACE),
        (SCMP_ACT_LOG, SeccompFilter.RET_LOG),
        (SCMP_ACT_NOTIFY, SeccompFilter.RET_USER_NOTIF),
    ];

    /// <summary>SECCOMP_RET_ value. errno of ERRNO and message of TRACE are its low half; EPERM where the profile names none.</summary>
    public static uint Action(string word, uint? errno)
    {
        foreach ((string known, uint action) in Actions)
        {
            bool hasErrno = action is SeccompFilter.RET_ERRNO or SeccompFilter.RET_TRACE;
            if (word == known) return hasErrno ? action | (errno ?? DefaultErrno) : action;
        }
        throw new ArgumentException(word);
    }

    /// <summary>The comparison that a condition asks for.</summary>
    public static Comparison Operator(string word) => word switch
    {
        SCMP_CMP_NE => Comparison.NotEqual,
        SCMP_CMP_LT => Comparison.Less,
        SCMP_CMP_LE => Comparison.LessOrEqual,
        SCMP_CMP_GE => Comparison.GreaterOrEqual,
        SCMP_CMP_GT => Comparison.Greater,
        SCMP_CMP_MASKED_EQ => Comparison.MaskedEqual,
        SCMP_CMP_EQ => Comparison.Equal,
        _ => throw new ArgumentException(word),
    };

    /// <summary>
    /// Flags for seccomp(2). An absent list means SPEC_ALLOW, as in runc: a filter otherwise switches off speculation for the process,
    /// which costs more than the filter itself.
    /// </summary>
    public static uint Flags(LinuxSeccomp profile)
    {
        uint flags = profile.Flags is null ? SeccompFilter.FLAG_SPEC_ALLOW : 0;
        foreach (string word in profile.Flags ?? []) flags |= Flag(word);
        bool notifies = Array.Exists(profile.Syscalls, static rule => rule.Action == SCMP_ACT_NOTIFY);
        return notifies ? flags | SeccompFilter.FLAG_NEW_LISTENER : flags;
    }

    /// <summary>True for a flag that this host's kernel takes.</summary>
    public static bool KernelKnows(string word)
    {
        uint flag = Flag(word);
        return SeccompFilter.KnowsFlags(flag == SeccompFilter.FLAG_WAIT_KILLABLE_RECV ? flag | SeccompFilter.FLAG_NEW_LISTENER : flag);
    }

    private static uint Flag(string word) => word switch
    {
        SECCOMP_FILTER_FLAG_LOG => SeccompFilter.FLAG_LOG,
        SECCOMP_FILTER_FLAG_SPEC_ALLOW => SeccompFilter.FLAG_SPEC_ALLOW,
        SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV => SeccompFilter.FLAG_WAIT_KILLABLE_RECV,
        // No effect on a process with one thread.
        SECCOMP_FILTER_FLAG_TSYNC => 0,
        _ => throw new ArgumentException(word),
    };

    /// <summary>An action in words, for `explain` and errors.</summary>
    public static string Describe(uint action)
    {
        uint kind = action & SeccompFilter.RET_ACTION_FULL, data = action & ~SeccompFilter.RET_ACTION_FULL;
        string word = Array.Find(Actions, known => known.Action == kind).Word[ActionPrefix.Length..];
        return kind switch
        {
            SeccompFilter.RET_ERRNO => $"{word}({ErrnoText.Name((int)data)})",
            SeccompFilter.RET_TRACE => $"{word}({data})",
            _ => word,
        };
    }
}
