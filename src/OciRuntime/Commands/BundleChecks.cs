using OciRuntime.Checks;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Commands;

/// <summary>What of one configuration cannot work here: what a launch would refuse, and what it would only find on its way.</summary>
internal static class BundleChecks
{
    private const string Cost = "create fails there";

    /// <param name="report">Where it goes.</param>
    /// <param name="host">What this process may do.</param>
    /// <param name="settings">As for a launch that is only explained.</param>
    /// <param name="containerDirectory">The container's directory below the state root; it need not exist.</param>
    public static void Add(Report report, HostFacts host, LaunchSettings settings, string containerDirectory)
    {
        string topic = $"bundle {settings.Bundle}";
        int before = report.Count;
        LaunchPreparation preparation;
        try
        {
            preparation = LaunchPreparation.Build(settings, containerDirectory);
        }
        catch (OciException e)
        {
            report.Add(new(topic, settings.Config, Verdict.Missing, e.Message, "create refuses it"));
            return;
        }
        foreach (string refusal in preparation.Refusals)
            report.Add(new(topic, settings.Config, Verdict.Missing, refusal, "create refuses it"));
        foreach (string warning in preparation.Warnings) report.Add(new(topic, settings.Config, Verdict.Limited, warning));
        foreach ((string pointer, string path, Func<string, long> look) in Wanted(preparation))
        {
            if (look(path) is < 0 and var error)
                report.Add(new(topic, pointer, Verdict.Missing, $"{path}: {ErrnoText.Full((int)-error)}", Cost));
        }
        AddLimits(report, topic, host, preparation.Spec.Process!.Rlimits);
        AddOomScore(report, topic, host, preparation.Plan);
        if (IdMapTrial.IsPossible(host)) AddIdMaps(report, topic, preparation);
        AddProfile(report, topic, preparation.Spec.Process!.ApparmorProfile);
        AddPrograms(report, topic, preparation);
        if (report.Count == before)
            report.Add(new(topic, settings.Config, Verdict.Ok, "nothing is known to be in its way; \"ocirun explain\" shows each step"));
    }

    // What the configuration takes for granted on this host.
    private static IEnumerable<(string Pointer, string Path, Func<string, long> Look)> Wanted(LaunchPreparation p)
    {
        for (int i = 0; i < p.Spec.Mounts.Length; i++)
        {
            Mount mount = p.Spec.Mounts[i];
            if (SpecValidator.IsBind(mount) && mount.Source is { Length: > 0 } source)
                yield return ($"/mounts/{i}/source", ContainerPath.OnHost(p.Bundle, source), Exists);
        }
        LinuxNamespace[] namespaces = p.Spec.Linux?.Namespaces ?? [];
        for (int i = 0; i < namespaces.Length; i++)
            if (namespaces[i].Path is { Length: > 0 } path) yield return ($"/linux/namespaces/{i}/path", path, Exists);
        if (p.Spec.Hooks is not { } hooks) yield break;
        // "The path MUST resolve in the runtime namespace", also that of createContainer, which runs in the container's with the host's
        // files still there; but not in one that is joined.
        (string, Hook[])[] outside =
        [
            ("prestart", hooks.Prestart), ("createRuntime", hooks.CreateRuntime),
            ("createContainer", IsMountNamespaceNew(p.Spec) ? hooks.CreateContainer : []), ("poststart", hooks.Poststart),
            ("poststop", hooks.Poststop),
        ];
        foreach ((string name, Hook[] list) in outside)
        {
            for (int i = 0; i < list.Length; i++) yield return ($"/hooks/{name}/{i}/path", list[i].Path, IsProgram);
        }
    }

    /// <summary>Those that the kernel will refuse to raise (setrlimit(2)).</summary>
    private static void AddLimits(Report report, string topic, HostFacts host, Rlimit[] limits)
    {
        bool mayRaise = host.Has(Credentials.CAP_SYS_RESOURCE) && !host.InUserNamespace;
        for (int i = 0; i < limits.Length; i++)
        {
            Rlimit limit = limits[i];
            bool isAboveOwn = !mayRaise && Processes.GetLimit(0, ResourceNames.Number(limit.Type), out ResourceLimit own) >= 0
                && limit.Hard > own.Hard;
            bool isAboveAll = limit.Type == "RLIMIT_NOFILE" && limit.Hard > (ulong?)Files.ReadNumber("/proc/sys/fs/nr_open");
            if (!isAboveOwn && !isAboveAll) continue;
            Origin origin = new("/process/rlimits", i);
            string words = ResourceLimitStep.Refused(origin, limit, Errno.EPERM);
            report.Add(new(topic, $"{origin}", Verdict.Missing, words[($"{origin}: ".Length)..], Cost));
        }
    }

    /// <summary>
    /// How low a process without privilege may go, nobody shows: so this one tries. What it had before it may have again
    /// (/proc/PID/oom_score_adj, proc_pid_oom_score_adj(5)).
    /// </summary>
    private static void AddOomScore(Report report, string topic, HostFacts host, LaunchPlan plan)
    {
        if (plan.Find<OomScoreAdjustStep>() is not { } step) return;
        const string File = "/proc/self/oom_score_adj";
        if ((host.Has(Credentials.CAP_SYS_RESOURCE) && !host.InUserNamespace) || Files.ReadNumber(File) is not { } own) return;
        long result = Files.WriteFileAt(Files.AT_FDCWD, File, Digits.Of(step.Score));
        if (result >= 0) result = Files.WriteFileAt(Files.AT_FDCWD, File, Digits.Of(own));
        if (result >= 0) return;
        string words = step.Explain(plan, new StepFailure((int)-result, InitDetail.None));
        report.Add(new(topic, step.Origin.ToString(), Verdict.Missing, words[($"{step.Origin}: ".Length)..], Cost));
    }

    /// <summary>Each on a copy of its source that is mounted nowhere.</summary>
    private static void AddIdMaps(Report report, string topic, LaunchPreparation p)
    {
        foreach (PlanStep step in p.Plan.Steps)
        {
            if (step is not MountBindStep { IdMap: { } map } bind) continue;
            string fault = IdMapTrial.Fault(bind.Source, map, bind.Source);
            if (fault.Length > 0) report.Add(new(topic, step.Origin.ToString(), Verdict.Missing, fault, Cost));
        }
    }

    private static void AddProfile(Report report, string topic, string? profile)
    {
        // Root of the host is shown them; a profile of a namespace, or several at once, has a form of its own.
        if (string.IsNullOrEmpty(profile) || profile == "unconfined" || profile[0] is ':' or '&' || profile.Contains("//&")) return;
        string loaded = ProcText.Text("/sys/kernel/security/apparmor/profiles");
        if (loaded.Length == 0 || $"\n{loaded}".Contains($"\n{profile} (")) return;
        report.Add(new(topic, "/process/apparmorProfile", Verdict.Missing, $"the profile {profile} is not loaded", Cost,
            "apparmor_parser -r FILE, with the file that has it"));
    }

    /// <summary>The container's own, where nothing but the image can have them: what hooks do to it nobody knows.</summary>
    private static void AddPrograms(Report report, string topic, LaunchPreparation p)
    {
        Hooks hooks = p.Spec.Hooks ?? new();
        if (hooks.Prestart.Length + hooks.CreateRuntime.Length + hooks.CreateContainer.Length > 0 || !IsMountNamespaceNew(p.Spec)) return;
        long root = Files.OpenAt(Files.AT_FDCWD, p.Rootfs, Files.O_PATH | Files.O_DIRECTORY);
        if (root < 0) return;
        using ImageFiles image = new(new Fd((int)root), p.Spec.Mounts.Where(MayBringPrograms).Select(static mount => mount.Destination));
        for (int i = 0; i < hooks.StartContainer.Length; i++)
        {
            string path = hooks.StartContainer[i].Path, fault = image.FaultOf(path);
            if (fault.Length == 0) continue;
            report.Add(new(topic, $"/hooks/startContainer/{i}/path", Verdict.Missing, $"{path} {fault}", "start fails there"));
        }
        if (hooks.StartContainer.Length > 0) return;
        Process process = p.Spec.Process!;
        string[] candidates = Array.ConvertAll(p.Plan.Find<FindExecutableStep>()!.Candidates,
            one => ContainerPath.OnHost(process.Cwd, one));
        string[] faults = Array.ConvertAll(candidates, image.FaultOf);
        const string Pointer = "/process/args/0";
        if (!faults.Contains(""))
        {
            string found = candidates.Length == 1 ? $"{candidates[0]} {faults[0]}"
                : $"{process.Args[0]} is in none of the directories of PATH: "
                    + string.Join(", ", candidates.Zip(faults, static (path, fault) => $"{path} {fault}"));
            report.Add(new(topic, Pointer, Verdict.Missing, found, "the program cannot be executed"));
            return;
        }
        string program = candidates[Array.IndexOf(faults, "")], machine = image.ForeignMachineOf(program);
        if (machine.Length > 0 && !HasHandlers())
        {
            report.Add(new(topic, Pointer, Verdict.Limited, $"{program} is a program for {machine}",
                "it cannot be executed, unless something is registered for such programs (binfmt_misc)",
                "an image for this machine, or an emulator that is registered"));
        }
    }

    // An emulator for programs of other machines is one.
    private static bool HasHandlers() =>
        Files.ListDirectory("/proc/sys/fs/binfmt_misc").Exists(static name => name is not ("register" or "status" or "." or ".."));

    private static bool IsMountNamespaceNew(RuntimeSpec spec) =>
        Array.Exists(spec.Linux?.Namespaces ?? [], static one => one.Type == "mount" && string.IsNullOrEmpty(one.Path));

    // What the kernel makes has none, and a new tmpfs at most what the image has there.
    private static bool MayBringPrograms(Mount mount) =>
        mount.Type is not ("proc" or "sysfs" or "tmpfs" or "devpts" or "mqueue" or "cgroup" or "cgroup2") || SpecValidator.IsBind(mount);

    private static long Exists(string path) => Files.StatAt(Files.AT_FDCWD, path, 0, out _);

    private static long IsProgram(string path) => Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) is < 0 and var error ? error
        : stat.IsDirectory ? -Errno.EISDIR : Files.AccessAsEffective(path, Files.X_OK);
}
