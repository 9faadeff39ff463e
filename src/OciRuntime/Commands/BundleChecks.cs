using OciRuntime.Cgroups;
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
    private const string Cost = "create fails there", InImage = "have the program in the image, with what it needs, or name another";

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
        List<Shortcoming> shortcomings = LaunchRehearsal.Find(preparation, host);
        foreach (Shortcoming one in shortcomings)
        {
            // Each needs the same right.
            if (IsNode(one) && shortcomings.Find(IsNode) != one) continue;
            string name = one is { Step: MountBindStep, Failure.Detail: InitDetail.Source } ? one.Pointer + "/source" : one.Pointer;
            report.Add(new(topic, name.Length > 0 ? name : settings.Config, Verdict.Missing, one.Words, Cost,
                Remedies.Of(one, host, preparation)));
        }
        // What has not answered once is not asked again.
        bool answers = !shortcomings.Exists(static one => one.Failure.Errno == Errno.ETIMEDOUT);
        foreach ((string pointer, string path, Func<string, string> look) in Wanted(preparation))
        {
            string fault = look(path);
            if (fault.Length > 0)
            {
                report.Add(new(topic, pointer, Verdict.Missing, $"{path}: {fault}", Remedies.CostOf(pointer),
                    Remedies.OfPath(pointer)));
            }
        }
        AddNetworkDevices(report, topic, preparation.Spec);
        foreach (OciException fault in CgroupTrial.Faults(preparation.Cgroups))
        {
            (string pointer, string words) = Shortcoming.Split(fault.Message);
            report.Add(new(topic, pointer.Length > 0 ? pointer : settings.Config, Verdict.Missing, words, Cost,
                Remedies.OfCgroup(fault, preparation.Cgroups)));
        }
        AddLimits(report, topic, host, preparation.Spec.Process!.Rlimits);
        AddOomScore(report, topic, host, preparation.Plan);
        if (answers && IdMapTrial.IsPossible(host)) AddIdMaps(report, topic, preparation);
        AddProfile(report, topic, preparation.Spec.Process!.ApparmorProfile);
        if (answers) AddPrograms(report, topic, preparation);
        if (report.Count == before)
            report.Add(new(topic, settings.Config, Verdict.Ok, "nothing is known to be in its way; \"ocirun explain\" shows each step"));
    }

    private static bool IsNode(Shortcoming one) => one is { Step: DeviceNodeStep, Failure.Errno: Errno.EPERM };

    // Paths that the configuration takes for granted on this host; what is wrong with one, or "".
    private static IEnumerable<(string Pointer, string Path, Func<string, string> Look)> Wanted(LaunchPreparation p)
    {
        foreach (NamespacePath join in p.Plan.Joins) yield return (join.Origin.ToString(), join.Path, path => FaultOfNamespace(path, join));
        bool hasAgent = p.Plan.Find<SeccompStep>() is { Filter.NeedsListener: true };
        if (hasAgent && p.Spec.Linux!.Seccomp!.ListenerPath is { Length: > 0 } agent)
            yield return (SeccompReceiver.Origin(p.Spec), agent, FaultOfSocket);
        if (p.Spec.Annotations[Annotations.PidFdReceiver] is { } receiver)
            yield return (Annotations.Pointer(Annotations.PidFdReceiver), receiver, FaultOfSocket);
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
            for (int i = 0; i < list.Length; i++) yield return ($"/hooks/{name}/{i}/path", list[i].Path, FaultOfProgram);
        }
    }

    private static void AddNetworkDevices(Report report, string topic, RuntimeSpec spec)
    {
        if (spec.Linux is not { NetDevices.Count: > 0 } linux) return;
        using NetlinkSocket socket = NetlinkSocket.Open();
        foreach (KeyValuePair<string, NetDevice> device in linux.NetDevices)
        {
            if (NetworkLinks.Find(socket, device.Key, out _) != -Errno.ENODEV) continue;
            report.Add(new(topic, NetworkDevices.Pointer(device.Key), Verdict.Missing,
                $"the runtime's network namespace has no device {device.Key}", Cost, "make it (ip link add), or name another"));
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
            (string pointer, string words) =
                Shortcoming.Split(ResourceLimitStep.Refused(new Origin("/process/rlimits", i), limit, Errno.EPERM));
            report.Add(new(topic, pointer, Verdict.Missing, words, Cost,
                isAboveAll ? "raise sysctl fs.nr_open, or lower the limit" : "raise the hard limit of the caller, or lower this one"));
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
        (string pointer, string words) = Shortcoming.Split(step.Explain(plan, new StepFailure((int)-result, InitDetail.None)));
        report.Add(new(topic, pointer, Verdict.Missing, words, Cost,
            "call it with CAP_SYS_RESOURCE in no user namespace, or give the score that the caller has, or a higher one"));
    }

    /// <summary>Each on a copy of its source that is mounted nowhere.</summary>
    private static void AddIdMaps(Report report, string topic, LaunchPreparation p)
    {
        foreach (PlanStep step in p.Plan.Steps)
        {
            if (step is not MountBindStep { IdMap: { } map } bind) continue;
            string fault = IdMapTrial.Fault(bind.Source, map, bind.Source);
            if (fault.Length == 0) continue;
            report.Add(new(topic, step.Origin.ToString(), Verdict.Missing, fault, Cost,
                "keep the source on a file system that can, or leave the mappings out"));
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
            report.Add(new(topic, $"/hooks/startContainer/{i}/path", Verdict.Missing, $"{path} {fault}", "start fails there",
                InImage));
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
            report.Add(new(topic, Pointer, Verdict.Missing, found, "the program cannot be executed", InImage));
            return;
        }
        string program = candidates[Array.IndexOf(faults, "")], machine = image.ForeignMachineOf(program);
        if (machine.Length > 0 && !ProgramFile.HasHandlers)
        {
            report.Add(new(topic, Pointer, Verdict.Limited, $"{program} is a program for {machine}",
                "it cannot be executed, unless something is registered for such programs (binfmt_misc)",
                "an image for this machine, or an emulator that is registered"));
        }
    }

    private static bool IsMountNamespaceNew(RuntimeSpec spec) =>
        Array.Exists(spec.Linux?.Namespaces ?? [], static one => one.Type == "mount" && string.IsNullOrEmpty(one.Path));

    // What the kernel makes has none, and a new tmpfs at most what the image has there.
    private static bool MayBringPrograms(Mount mount) =>
        mount.Type is not ("proc" or "sysfs" or "tmpfs" or "devpts" or "mqueue" or "cgroup" or "cgroup2") || SpecValidator.IsBind(mount);

    private static string FaultOfProgram(string path)
    {
        long error = Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) is < 0 and var missing ? missing
            : stat.IsDirectory ? -Errno.EISDIR : Files.AccessAsEffective(path, Files.X_OK);
        if (error < 0) return ErrnoText.Full((int)-error);
        using ImageFiles host = new(Fd.Open("/", Files.O_PATH | Files.O_DIRECTORY, "open /"), [], "on this host");
        return host.FaultOf(path);
    }

    // What is no socket refuses to be connected to (connect(2)).
    private static string FaultOfSocket(string path) => Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) is < 0 and var error
        ? ErrnoText.Full((int)-error) : stat.Type == Files.S_IFSOCK ? "" : $"no socket: {ErrnoText.Full(Errno.ECONNREFUSED)}";

    /// <summary>What is no namespace is not opened for it: to open a FIFO would wait, and to open a device may do something.</summary>
    private static string FaultOfNamespace(string path, NamespacePath join)
    {
        long found = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH);
        if (found < 0) return ErrnoText.Full((int)-found);
        using Fd file = new((int)found);
        string other = $"is no {join.Type} namespace: {ErrnoText.Full(Errno.EINVAL)}";
        if (Files.StatFs(file.Number, out Statfs fs) < 0 || fs.Type != Files.NSFS_MAGIC) return other;
        long opened = Files.OpenAt(Files.AT_FDCWD, $"/proc/self/fd/{file.Number}", Files.O_RDONLY);
        if (opened < 0) return ErrnoText.Full((int)-opened);
        using Fd joined = new((int)opened);
        return Files.Ioctl(joined.Number, Files.NS_GET_NSTYPE, 0) == (long)join.Flag ? "" : other;
    }
}
