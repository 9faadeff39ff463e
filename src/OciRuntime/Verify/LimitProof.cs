using System.Globalization;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Verify;

/// <summary>
/// Resource limits and the OOM score of each process; umask, scheduling and personality of the first; the CPUs of those that entered.
/// </summary>
internal static class LimitProof
{
    private const string Title = "limits", Scheduled = "scheduling";

    public static IEnumerable<ProcessPromise> OfProcesses(Subject subject)
    {
        bool mayRaise = subject.MayHaveOutside(Credentials.CAP_SYS_RESOURCE);
        Rlimit[] limits = subject.Spec.Process!.Rlimits;
        for (int i = 0; i < limits.Length; i++)
        {
            Rlimit limit = limits[i];
            string pointer = new Origin("/process/rlimits", i).ToString();
            string begin = limit.Soft < limit.Hard ? $", {Number(limit.Soft)} to begin with" : "";
            yield return new(new(Title, pointer, $"{limit.Type} at most {Number(limit.Hard)}{begin}"), process =>
            {
                if (Limits(process, ResourceNames.Number(limit.Type)) is not (ulong soft, ulong hard))
                    return Seen.Unchecked("the kernel does not show it");
                if (hard > limit.Hard) return Subject.Other(mayRaise, $"it may be {Number(hard)}");
                if (soft <= limit.Soft) return Seen.Held;
                // Many a program begins with that, for its files.
                return subject.IsUnstarted(process) ? new(Outcome.Broken, $"it is {Number(soft)}")
                    : Seen.Unchecked($"it is {Number(soft)}: any program may raise its own as far as it may be");
            })
            { MayDifferWhenEntered = true };
        }
        if (subject.Spec.Process.ExecCPUAffinity?.Final is { Length: > 0 } cpus)
        {
            yield return new(new(Scheduled, "/process/execCPUAffinity/final", $"exec on the CPUs {cpus}"), process =>
                process.Status("Cpus_allowed_list") is not { } its ? Seen.Unchecked("the kernel does not show it")
                    // Any process may change its own, and exec may have been given another.
                    : CpuList.IsWithin(its, cpus, CpuList.MaxCpus) ? Seen.Held : new(Outcome.Drifted, $"it may run on {its}"))
            { IsAboutEntered = true };
        }
        if (subject.Plan.Find<OomScoreAdjustStep>() is not { } oom) yield break;
        // A process may go back to what it had before, unless its score was written with CAP_SYS_RESOURCE in the first user namespace
        // (oom_score_adj_min in __set_oom_adj()). A launch writes it when it has entered the container's, where that is a new one. Whether
        // whoever made it had the capability is not known: root of another container has not, and is not told from the host's but by that.
        bool isFixed = subject.State.OwnerUid == 0 && subject.IsInFirstUserNamespace
            && Host.HostFacts.Probe().Has(Credentials.CAP_SYS_RESOURCE);
        bool mayLower = mayRaise || (!isFixed && !subject.IsWaiting);
        yield return new(new(Title, oom.Origin.ToString(), $"oom_score_adj at least {oom.Score}"), process =>
            process.Text("oom_score_adj", out long error) is not { } text ? Seen.Unchecked(ErrnoText.Full((int)-error))
                : int.Parse(text.TrimEnd(), null) >= oom.Score ? Seen.Held : Subject.Other(mayLower, $"it is {text.TrimEnd()}"))
        { MayDifferWhenEntered = true };
    }

    /// <summary>
    /// From its file, which has a line for each in the order of their numbers, and a name of 25 characters before the two columns:
    /// prlimit(2) takes a right over processes of others.
    /// </summary>
    private static (ulong Soft, ulong Hard)? Limits(ProcessFiles process, int number)
    {
        const int NameColumn = 26;
        string[] lines = (process.Text("limits", out _) ?? "").Split('\n');
        if (lines.Length <= number + 1 || lines[number + 1].Length < NameColumn) return null;
        string[] columns = lines[number + 1][NameColumn..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return columns.Length >= 2 && Parse(columns[0]) is { } soft && Parse(columns[1]) is { } hard ? (soft, hard) : null;
    }

    private static ulong? Parse(string column) =>
        column == "unlimited" ? ulong.MaxValue : ulong.TryParse(column, NumberStyles.None, CultureInfo.InvariantCulture, out ulong value)
            ? value : null;

    public static void Add(Report report, Subject subject)
    {
        ProcessFiles init = subject.Init;
        if (subject.Plan.Find<UmaskStep>() is { } umask)
            report.Add(Title, umask.Origin.ToString(), $"the umask {UmaskStep.Octal(umask.Mask)}", OfUmask(subject, umask.Mask));
        if (subject.Plan.Find<SchedulerStep>() is { } scheduler)
        {
            long result = Scheduling.Get(init.Pid, out SchedAttr its);
            report.Add(Scheduled, scheduler.Origin.ToString(), scheduler.Describe(),
                OfFirst(subject, result, IsSame(scheduler.Schedule, its), () => $"it is to {SchedulerStep.Describe(its)}"));
        }
        if (subject.Plan.Find<IoPriorityStep>() is { } io)
        {
            long priority = Scheduling.GetIoPriority(init.Pid);
            report.Add(Scheduled, io.Origin.ToString(), io.Describe(), OfFirst(subject, priority, priority == io.Priority,
                () => $"it is class {priority >> Scheduling.IOPRIO_CLASS_SHIFT}, level {priority & 7}"));
        }
        if (subject.Plan.Find<PersonalityStep>() is { } personality)
        {
            string text = init.Text("personality", out long error) ?? "0";
            int persona = Convert.ToInt32(text.Trim(), 16) & 0xff;
            report.Add(Scheduled, personality.Origin.ToString(), personality.Describe(),
                OfFirst(subject, error, persona == personality.Persona, () => $"it is {text.Trim()}"));
        }
    }

    /// <summary>What it takes away from the modes of new files. More of that is stricter.</summary>
    private static Seen OfUmask(Subject subject, uint mask)
    {
        if (subject.Init.Status("Umask") is not { } text) return Seen.Unchecked("the kernel does not show it");
        uint its = Convert.ToUInt32(text, 8);
        return (mask & ~its) == 0 ? Seen.Held : subject.IsWaiting ? new(Outcome.Broken, $"it is {text}")
            : Seen.Unchecked($"it is {text}: any program may set its own");
    }

    // Any process may change its own, if only for the worse, or within RLIMIT_NICE and RLIMIT_RTPRIO.
    private static Seen OfFirst(Subject subject, long result, bool isSame, Func<string> found) =>
        result < 0 ? Seen.Unchecked(ErrnoText.Full((int)-result)) : isSame ? Seen.Held : Subject.Other(!subject.IsWaiting, found());

    // What a policy has no use for reads as the kernel likes.
    private static bool IsSame(in SchedAttr wanted, in SchedAttr its) =>
        its.Policy == wanted.Policy && SpecWords.SchedulerPolicies[its.Policy] switch
        {
            SpecWords.SCHED_OTHER or SpecWords.SCHED_BATCH => its.Nice == wanted.Nice,
            SpecWords.SCHED_FIFO or SpecWords.SCHED_RR => its.Priority == wanted.Priority,
            SpecWords.SCHED_DEADLINE => its.Runtime == wanted.Runtime && its.Deadline == wanted.Deadline,
            _ => true,
        };

    private static string Number(ulong value) => value == ulong.MaxValue ? "unlimited" : value.ToString();
}
