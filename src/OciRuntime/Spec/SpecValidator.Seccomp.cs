using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Spec;

public static partial class SpecValidator
{
    private static void CheckSeccomp(LinuxSeccomp seccomp, SpecProblems problems)
    {
        const string at = "/linux/seccomp";
        // Neither action nor rules is how runc spells "no filter".
        if (seccomp.DefaultAction.Length > 0 || seccomp.Syscalls.Length > 0)
            CheckWord(seccomp.DefaultAction, SpecWords.SeccompActions, $"{at}/defaultAction", problems);
        CheckErrnoRet(seccomp.DefaultErrnoRet, seccomp.DefaultAction, $"{at}/defaultErrnoRet", problems);
        CheckWords(seccomp.Architectures, SpecWords.SeccompArchitectures, $"{at}/architectures", problems);
        CheckWords(seccomp.Flags ?? [], SpecWords.SeccompFlags, $"{at}/flags", problems);
        for (int i = 0; i < seccomp.Syscalls.Length; i++) CheckSyscall(seccomp.Syscalls[i], $"{at}/syscalls/{i}", problems);
        CheckNotify(seccomp, at, problems);
    }

    private static void CheckSyscall(SeccompSyscall rule, string at, SpecProblems problems)
    {
        if (rule.Names.Length == 0) problems.Error($"{at}/names", null, "must have at least one entry");
        CheckWord(rule.Action, SpecWords.SeccompActions, $"{at}/action", problems);
        CheckErrnoRet(rule.ErrnoRet, rule.Action, $"{at}/errnoRet", problems);
        // The process sends its own listener's fd with these calls: with them held back for the listener it would wait for ever.
        if (rule.Action == SCMP_ACT_NOTIFY && SpecWords.Has(rule.Names, "write"))
            problems.Error($"{at}/action", SpecText.Quote(SCMP_ACT_NOTIFY), "must not be used for write");
        for (int i = 0; i < rule.Args.Length; i++)
        {
            CheckWord(rule.Args[i].Op, SpecWords.SeccompOperators, $"{at}/args/{i}/op", problems);
            if (rule.Args[i].Index > 5) problems.Error($"{at}/args/{i}/index", SpecText.Show(rule.Args[i].Index), "must be from 0 to 5");
        }
    }

    private static void CheckErrnoRet(uint? errno, string action, string pointer, SpecProblems problems)
    {
        if (errno is null) return;
        if (action is not (SCMP_ACT_ERRNO or SCMP_ACT_TRACE))
            problems.Error(pointer, SpecText.Show(errno.Value), "is only for SCMP_ACT_ERRNO and SCMP_ACT_TRACE");
        // SECCOMP_RET_DATA is 16 bits wide, seccomp(2).
        if (errno > 0xffff) problems.Error(pointer, SpecText.Show(errno.Value), "must be from 0 to 65535");
    }

    private static void CheckNotify(LinuxSeccomp seccomp, string at, SpecProblems problems)
    {
        bool notifies = Array.Exists(seccomp.Syscalls, static rule => rule.Action == SCMP_ACT_NOTIFY);
        if (seccomp.DefaultAction == SCMP_ACT_NOTIFY)
            problems.Error($"{at}/defaultAction", SpecText.Quote(SCMP_ACT_NOTIFY), "must not be the default action");
        else if (notifies && string.IsNullOrEmpty(seccomp.ListenerPath))
            problems.Error($"{at}/listenerPath", null, $"is required by {SCMP_ACT_NOTIFY}");
        if (!string.IsNullOrEmpty(seccomp.ListenerMetadata) && string.IsNullOrEmpty(seccomp.ListenerPath))
            problems.Error($"{at}/listenerMetadata", null, "needs a listenerPath");
        if (!notifies && Array.IndexOf(seccomp.Flags ?? [], SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) is var flag and >= 0)
            problems.Error($"{at}/flags/{flag}", SpecText.Quote(seccomp.Flags![flag]), $"is only for filters with {SCMP_ACT_NOTIFY}");
        if (!string.IsNullOrEmpty(seccomp.ListenerPath) && !SpecText.IsAbsolute(seccomp.ListenerPath))
            problems.Error($"{at}/listenerPath", SpecText.Quote(seccomp.ListenerPath), "must be an absolute path");
    }
}
