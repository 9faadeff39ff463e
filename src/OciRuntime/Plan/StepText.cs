using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Steps in words, one line each: for `explain` and for errors, which name the step that failed.</summary>
internal static class StepText
{
    /// <summary>What the step does, without where it comes from.</summary>
    public static string Describe(PlanStep step) => VisibleText.Line(Words(step));

    private static string Words(PlanStep step) => step.Op switch
    {
        InitOp.OomScoreAdjust => $"set oom_score_adj to {step.A}",
        InitOp.KeepHostProc => "keep the host's /proc open for what is written there later",
        InitOp.EnterCgroup => $"enter the cgroup {step.Text1}",
        InitOp.AwaitCgroup => "wait until systemd has put this process into the container's cgroup",
        InitOp.ResetAffinity => "run on every CPU that the cgroup allows, not on the caller's only",
        InitOp.JoinNamespaces => Join(step.Joins!),
        InitOp.JoinPidNamespace => $"have the next clone born in the pid namespace {step.Text1}",
        InitOp.JoinContainer => "join the container's namespaces: " + string.Join(", ", NamespaceNames.Of((ulong)step.A)) + (step.C >= 0 ? "; chroot into its root" : ""),
        InitOp.Affinity => $"run on the CPUs {step.Text1}",
        InitOp.Unshare => Unshare(NamespaceNames.Of((ulong)step.A)),
        InitOp.TimeOffsets => step.Text1!.Length == 0 ? "enter the new time namespace" : $"enter the new time namespace, its clocks offset by {step.Text1.TrimEnd().Replace("\n", ", ")}",
        InitOp.AwaitIdMaps => "wait until the runtime has written the id maps",
        InitOp.BecomeRoot => "become uid 0 and gid 0 of the user namespace" + ((step.A | step.B) == 0 ? "" : $", or uid {step.A} and gid {step.B} where it has none"),
        InitOp.ForkIntoPidNamespace => step.A == 0 ? $"clone once more, into the {(step.Text1 == null ? "container's pid namespace" : $"pid namespace {step.Text1}")}" + (step.Schedule.Size == 0 ? "" : $"; there the runtime sets the policy: {SchedulingPlanner.Describe(step.Schedule)}") : "clone once more, into a new pid namespace",
        InitOp.Undumpable => "become undumpable, so that nothing in the container can trace the runtime",
        InitOp.NewSession => "start a new session, apart from the caller's terminal",
        InitOp.SessionKeyring => $"join {(step.A == 0 ? "the" : "a new")} session keyring {step.Text1}",
        InitOp.LoopbackUp => "bring the loopback interface up",
        InitOp.AwaitNetworkDevices => "wait until the runtime has moved network devices here",
        InitOp.HostPropagation => $"make all mounts {PropagationName((ulong)step.A)}{Reach((ulong)step.A)}",
        InitOp.BindRootfs => $"bind the root file system {step.Text1} onto itself, as a mount of its own",
        InitOp.MountFilesystem => $"mount {step.Text1}{Source(step)} on /{step.Text2}{Options(step)}{(step.Fallback == null ? "" : $", else bind {step.Fallback}")}{IfExists(step)}",
        InitOp.LabelQueues => $"label /{step.Text1} {step.Text2}",
        InitOp.MountBind => $"bind {step.Text1}{((step.Flags & InitFlags.Recursive) != 0 ? " with all below it" : "")} on /{step.Text2}{Bind(step)}{Ids(step.IdMap)}{(step.Fallback == null ? IfExists(step) : $"; if it does not exist {step.Fallback}, read-only")}",
        InitOp.AttachMount => $"attach {step.Text1} to /{step.Text2}",
        InitOp.RemoveMount => $"{(step.A == 0 ? "look for a mount on" : "detach what is mounted on")} /{step.Text2}",
        InitOp.AwaitCommit => "wait for the runtime's word: what follows is done as a whole",
        InitOp.SetMountAttributes => $"remount {ContainerPath.Absolute(step.Text1!)}{Attributes(step)}",
        InitOp.ReconfigureFilesystem => $"reconfigure the file system of {ContainerPath.Absolute(step.Text1!)}{Options(step)}",
        InitOp.OpenDev => "open /dev for the nodes and links; if it is the host's, nothing is made or changed there",
        InitOp.DeviceNode => DeviceNode(step),
        InitOp.DeviceMount => $"{DeviceNode(step)}: the runtime makes it, as a user namespace cannot",
        InitOp.DeviceBind => $"bind the host's device {step.Text1} on /{step.Text2}",
        InitOp.Symlink => $"make the symbolic link /{step.Text2} -> {step.Text1}",
        InitOp.AwaitHooks => "wait until the runtime has run the prestart and createRuntime hooks",
        InitOp.ContainerHook => $"run the createContainer hook {step.Hook!.Path}",
        InitOp.Console => $"open a terminal in the container's devpts{WindowSize(step.A)} and pass its master on",
        InitOp.ControllingTerminal => "make the terminal that of the session",
        InitOp.ListenPid => "set LISTEN_PID to the own pid",
        InitOp.MakeDirectory => $"make the directory {ContainerPath.Absolute(step.Text1!)} if it is missing",
        InitOp.MaskPath => $"hide {ContainerPath.Absolute(step.Text1!)}{Options(step)} if it exists",
        InitOp.ReadonlyPath => $"make {ContainerPath.Absolute(step.Text1!)} read-only if it exists",
        InitOp.PivotRoot => "make the root file system / with pivot_root, and detach the host's",
        InitOp.MoveRoot => "move the root file system over / and chroot into it (--no-pivot)",
        InitOp.HostRoot => $"mount what follows on {step.Text1}, in the runtime's own mount namespace (no mount namespace)",
        InitOp.ChangeRoot => $"chroot into {step.Text1} (no mount namespace)",
        InitOp.DetachMount => $"detach the host's {step.Text1}",
        InitOp.RootPropagation => $"make / {PropagationName((ulong)step.A)}",
        InitOp.Hostname => $"set the hostname to {step.Text1}",
        InitOp.Domainname => $"set the domainname to {step.Text1}",
        InitOp.Sysctl => $"write {step.Text2} to /proc/{step.Text1}",
        // In backquotes: Podman tells by such a path that it was about a label.
        InitOp.SecurityAttribute => $"write {step.Text2} to `/proc/{step.Text1}`{(step.Fallback == null ? "" : $", or to `/proc/{step.Fallback}`")}{IfExists(step)}",
        InitOp.CloseHost => "close what is left open of the host",
        InitOp.NoNewPrivileges => "give up gaining privileges by execve (no_new_privs)",
        InitOp.ResourceLimit => $"set {step.Text1} to {Limit(step.B)} (soft), {Limit(step.C)} (hard)",
        InitOp.AwaitLimits => "wait until the runtime has set the resource limits",
        InitOp.Scheduler => SchedulingPlanner.Describe(step.Schedule),
        InitOp.IoPriority => SchedulingPlanner.IoPriority(step.A),
        InitOp.Personality => $"set the personality to {(step.A == Scheduling.PER_LINUX32 ? "LINUX32" : "LINUX")}",
        InitOp.MemoryPolicy => SchedulingPlanner.MemoryPolicy(step.A, step.Text1),
        InitOp.BoundingSet => $"limit the capability bounding set to {CapabilityList((ulong)step.A)}",
        InitOp.SetUser => $"become uid {step.A}, gid {step.B}{Groups(step)}",
        InitOp.ChangeDirectory => $"enter {step.Text1}{((step.Flags & InitFlags.Retry) != 0 ? ", or later as the container's user" : " unless already there")}, and check that it is inside the container",
        InitOp.Capabilities => "set capabilities: " + CapabilitySets(step),
        InitOp.Umask => $"set the umask to {Octal(step.A)}",
        InitOp.HomeDirectory => $"look HOME of uid {step.A} up in /etc/passwd",
        InitOp.FindExecutable => step.Candidates!.Length == 1 ? $"check that {step.Candidates[0]} can be executed" : $"find {step.Text1}: {string.Join(", ", step.Candidates)}",
        InitOp.Seccomp => Filter(step.Filter!),
        InitOp.Ready => "report that all is set up",
        InitOp.AwaitStart => "wait for \"ocirun start\"",
        InitOp.StartHook => $"run the startContainer hook {step.Hook!.Path}",
        InitOp.Execute => $"execute {step.Text1}",
        InitOp.GuardMounts => "go on in a clone; take back what it has attached if it fails",
        _ => step.Op.ToString(),
    };

    private static string Join(List<NamespacePath> joins)
    {
        List<string> words = joins.ConvertAll(static j => j.Flag == Processes.CLONE_NEWPID ? $"later pid {j.Path}" : $"{j.Type} {j.Path}");
        return "join namespaces: " + string.Join(", ", words);
    }

    private static string IfExists(PlanStep step) => (step.Flags & InitFlags.SkipMissing) != 0 ? " if it exists" : "";

    private static string Filter(Seccomp.SeccompProgram filter) =>
        $"load the seccomp filter: {filter.Instructions.Length} instructions, {Seccomp.SeccompWords.Describe(filter.DefaultAction)} for what it does not name"
        + (filter.NeedsListener ? "; pass its listener on" : "");

    private static string Unshare(List<string> names) => names.Count == 1 ? $"make a new {names[0]} namespace" : $"make new namespaces: {string.Join(", ", names)}";

    private static string Reach(ulong flags) => (flags & Mounts.MS_SHARED) != 0 ? ": the container's reach the host, and the host's the container"
        : (flags & Mounts.MS_SLAVE) != 0 ? ", so that none of the container's reach the host" : ", so that the container and the host see none of each other's";

    private static string WindowSize(long size) => size == 0 ? "" : $", {size >> 16} columns by {size & 0xffff} rows,";

    private static string Limit(long value) => value == -1 ? "unlimited" : ((ulong)value).ToString();

    private static string Octal(long value) => Convert.ToString(value, 8).PadLeft(4, '0');

    private static string Groups(PlanStep step)
    {
        if ((step.Flags & InitFlags.KeepGroups) != 0) return ", keeping other groups as they are";
        return step.Groups!.Length == 0 ? ", no other groups" : $", groups {string.Join(' ', step.Groups)}";
    }

    private static string DeviceNode(PlanStep step)
    {
        ulong device = (ulong)step.B;
        ulong major = (device >> 8 & 0xfff) | (device >> 32 & 0xfffff000), minor = (device & 0xff) | (device >> 12 & 0xffffff00);
        int type = (int)step.A & Files.S_IFMT;
        string owner = step.C == 0 ? "" : $", owner {(uint)step.C}:{(uint)(step.C >> 32)}";
        string mode = $"mode {Octal(step.A & 0xfff)}{owner}";
        return type == Files.S_IFIFO ? $"make the named pipe /{step.Text1} ({mode})"
            : $"make the device /{step.Text1} ({(type == Files.S_IFBLK ? 'b' : 'c')} {major}:{minor}, {mode})";
    }

    /// <summary>Where a file system comes from, unless that is only the name it goes by.</summary>
    private static string Source(PlanStep step) =>
        step.Options?.Find(static o => o.Key == "source").Value is { } source && source.StartsWith('/') ? " from " + source : "";

    private static string Options(PlanStep step)
    {
        List<string> words = [];
        AddAttributes(words, "", (ulong)step.A, 0);
        foreach (KeyValuePair<string, string?> option in step.Options ?? [])
        {
            bool shown = option.Key == "source" || (option.Value == null && words.Contains(option.Key));
            if (!shown) words.Add(option.Value == null ? option.Key : $"{option.Key}={option.Value}");
        }
        if ((step.Flags & InitFlags.CopyUp) != 0) words.Add("tmpcopyup");
        AddPropagation(words, (ulong)step.B);
        return InBrackets(words);
    }

    private static string Attributes(PlanStep step)
    {
        List<string> words = [];
        AddAttributes(words, (step.Flags & InitFlags.Recursive) != 0 ? "r" : "", (ulong)step.A, (ulong)step.B);
        AddPropagation(words, (ulong)step.C);
        return InBrackets(words);
    }

    private static string Bind(PlanStep step)
    {
        BindAttributes bind = step.Bind;
        List<string> words = [];
        if ((step.Flags & InitFlags.SourceNoFollow) != 0) words.Add("src-nofollow");
        if ((step.Flags & InitFlags.TargetNoFollow) != 0) words.Add("dest-nofollow");
        AddAttributes(words, "", bind.Set, bind.Clear);
        AddAttributes(words, "r", bind.TreeSet, bind.TreeClear);
        AddPropagation(words, bind.PropagationWords);
        return InBrackets(words);
    }

    private static string Ids(MountIdMap? map) => map == null ? "" : $", ids {(map.Recursive ? "of it and all mounts below it " : "")}mapped: {map.Describe()}";

    private static string InBrackets(List<string> words) => words.Count == 0 ? "" : $" ({string.Join(',', words)})";

    /// <summary>Attributes in the words that config.json has for them.</summary>
    private static void AddAttributes(List<string> words, string prefix, ulong set, ulong clear)
    {
        foreach ((ulong flag, string on, string off) in (ReadOnlySpan<(ulong, string, string)>)
            [
                (Mounts.MOUNT_ATTR_RDONLY, "ro", "rw"), (Mounts.MOUNT_ATTR_NOSUID, "nosuid", "suid"), (Mounts.MOUNT_ATTR_NODEV, "nodev", "dev"),
                (Mounts.MOUNT_ATTR_NOEXEC, "noexec", "exec"), (Mounts.MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"),
                (Mounts.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"),
            ])
        {
            if ((set & flag) != 0) words.Add(prefix + on);
            else if ((clear & flag) != 0) words.Add(prefix + off);
        }
        if ((set & Mounts.MOUNT_ATTR_NOATIME) != 0) words.Add(prefix + "noatime");
        else if ((set & Mounts.MOUNT_ATTR_STRICTATIME) != 0) words.Add(prefix + "strictatime");
        else if ((clear & Mounts.MOUNT_ATTR__ATIME) != 0) words.Add(prefix + "relatime");
    }

    private static void AddPropagation(List<string> into, ulong words)
    {
        while (words != 0)
        {
            words = Propagation.Next(words, out ulong flag, out bool recursive);
            into.Add(PropagationName(flag | (recursive ? Mounts.MS_REC : 0)));
        }
    }

    private static string PropagationName(ulong flags)
    {
        string name = (flags & Mounts.MS_SHARED) != 0 ? "shared" : (flags & Mounts.MS_PRIVATE) != 0 ? "private" : (flags & Mounts.MS_UNBINDABLE) != 0 ? "unbindable" : "slave";
        return (flags & Mounts.MS_REC) != 0 ? "r" + name : name;
    }

    /// <summary>The four sets, equal ones named together.</summary>
    private static string CapabilitySets(PlanStep step)
    {
        (string Name, ulong Mask)[] sets = [("effective", (ulong)step.A), ("permitted", (ulong)step.B), ("inheritable", (ulong)step.C), ("ambient", step.Bind.Set)];
        List<string> parts = [];
        for (int i = 0; i < sets.Length; i++)
        {
            ulong mask = sets[i].Mask;
            if (Array.FindIndex(sets, s => s.Mask == mask) < i) continue;
            string names = string.Join(", ", Array.ConvertAll(Array.FindAll(sets, s => s.Mask == mask), static s => s.Name));
            parts.Add($"{names}: {CapabilityList(mask)}");
        }
        return string.Join("; ", parts);
    }

    private static string CapabilityList(ulong mask)
    {
        if (mask == 0) return "none";
        if (mask == (1UL << CapabilityNames.All.Length) - 1) return "all";
        List<string> names = [];
        for (int i = 0; i < 64; i++)
        {
            // A kernel may have more than this program has names for.
            if ((mask >> i & 1) != 0) names.Add(i < CapabilityNames.All.Length ? CapabilityNames.All[i] : $"capability {i}");
        }
        return string.Join(' ', names);
    }
}
