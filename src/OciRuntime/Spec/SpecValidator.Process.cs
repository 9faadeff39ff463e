using OciRuntime.Linux;

namespace OciRuntime.Spec;

public static partial class SpecValidator
{
    // (uid_t)-1 means "leave alone" to setresuid(2) and chown(2), so it can never be an id.
    private const uint NoId = uint.MaxValue;

    private static void CheckProcess(Process process, string at, SpecProblems problems)
    {
        if (!SpecText.IsAbsolute(process.Cwd))
            problems.Error($"{at}/cwd", process.Cwd.Length == 0 ? null : SpecText.Quote(process.Cwd), "must be an absolute path");
        if (process.Args.Length == 0) problems.Error($"{at}/args", null, "must have at least one entry");
        CheckEnv(process.Env, $"{at}/env", problems);
        CheckUser(process.User, at, problems);
        CheckRlimits(process.Rlimits, at, problems);
        if (process.OomScoreAdj is < -1000 or > 1000)
            problems.Error($"{at}/oomScoreAdj", SpecText.Show(process.OomScoreAdj.Value), "must be from -1000 to 1000");
        if (process.Terminal && process.ConsoleSize is { } size) CheckConsoleSize(size, at, problems);
        if (process.Scheduler is not null) CheckScheduler(process.Scheduler, $"{at}/scheduler", problems);
        if (process.IoPriority is not null) CheckIoPriority(process.IoPriority, $"{at}/ioPriority", problems);
        CheckAffinity(process.ExecCPUAffinity?.Initial, $"{at}/execCPUAffinity/initial", problems);
        CheckAffinity(process.ExecCPUAffinity?.Final, $"{at}/execCPUAffinity/final", problems);
    }

    private static void CheckUser(User user, string at, SpecProblems problems)
    {
        if (user.Uid == NoId) problems.Error($"{at}/user/uid", SpecText.Show(user.Uid), "must be less than 4294967295");
        if (user.Gid == NoId) problems.Error($"{at}/user/gid", SpecText.Show(user.Gid), "must be less than 4294967295");
        if (Array.IndexOf(user.AdditionalGids, NoId) is var bad and >= 0)
            problems.Error($"{at}/user/additionalGids/{bad}", SpecText.Show(NoId), "must be less than 4294967295");
        // NGROUPS_MAX, credentials(7).
        if (user.AdditionalGids.Length > 65536) problems.Error($"{at}/user/additionalGids", null, "must not have more than 65536 entries");
        if (user.Umask is > FileModes.AllAccess)
            problems.Error($"{at}/user/umask", SpecText.Show(user.Umask.Value), "must be from 0 to 511 (0777 octal)");
    }

    private static void CheckRlimits(Rlimit[] limits, string at, SpecProblems problems)
    {
        uint seen = 0u;
        for (int i = 0; i < limits.Length; i++)
        {
            Rlimit limit = limits[i];
            if (limit.Soft > limit.Hard)
            {
                problems.Error($"{at}/rlimits/{i}/soft", SpecText.Show(limit.Soft),
                    $"must not be more than hard ({SpecText.Show(limit.Hard)})");
            }
            if (ResourceNames.Number(limit.Type) is var word && word < 0)
            {
                CheckWord(limit.Type, ResourceNames.All, $"{at}/rlimits/{i}/type", problems);
                continue;
            }
            if ((seen & (1u << word)) != 0) problems.Error($"{at}/rlimits/{i}/type", SpecText.Quote(limit.Type), "appears twice");
            seen |= 1u << word;
        }
    }

    // struct winsize has 16 bits per dimension (ioctl_tty(2)).
    private static void CheckConsoleSize(ConsoleSize size, string at, SpecProblems problems)
    {
        if (size.Height > ushort.MaxValue)
            problems.Error($"{at}/consoleSize/height", SpecText.Show(size.Height), "must be from 0 to 65535");
        if (size.Width > ushort.MaxValue) problems.Error($"{at}/consoleSize/width", SpecText.Show(size.Width), "must be from 0 to 65535");
    }
}
