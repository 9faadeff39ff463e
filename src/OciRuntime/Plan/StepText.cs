using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Steps in words, one line each: for `explain` and for errors, which name the step that failed.</summary>
internal static class StepText
{
    /// <summary>What the step does, without where it comes from.</summary>
    public static string Describe(PlanStep step) => step.Op switch
    {
        InitOp.OomScoreAdjust => $"write {step.A} to /proc/self/oom_score_adj",
        InitOp.EnterCgroup => $"enter cgroup hierarchy #{step.A} by writing to its tasks file",
        InitOp.JoinNamespaces => "join namespaces " + string.Join(", ", step.Joins!.ConvertAll(static j => $"{j.Type} {j.Path}")),
        InitOp.Unshare => $"make new namespaces: {NamespacePlan.Names((ulong)step.A)}",
        InitOp.TimeOffsets => step.Text1!.Length == 0 ? "enter the new time namespace" : $"enter the new time namespace with offsets {step.Text1.TrimEnd().Replace("\n", ", ")}",
        InitOp.AwaitIdMaps => "wait for the id maps",
        InitOp.BecomeRoot => "become uid 0 and gid 0 of the user namespace",
        InitOp.ForkIntoPidNamespace => "clone into a new pid namespace",
        InitOp.Undumpable => "become undumpable, so that nothing in the container can trace the runtime",
        InitOp.NewSession => "start a new session",
        InitOp.SessionKeyring => $"join a new session keyring {step.Text1}",
        InitOp.LoopbackUp => "set the loopback interface up",
        InitOp.HostPropagation => $"make the mount tree {PropagationName((ulong)step.A)}",
        InitOp.BindRootfs => $"bind the root file system {step.Text1} onto itself",
        InitOp.MountFilesystem => $"mount {step.Text1} on /{step.Text2}{Attributes((ulong)step.A)}{Options(step)}{PropagationWords((ulong)step.B)}",
        InitOp.MountBind => $"bind {((step.Flags & InitFlags.Recursive) != 0 ? "recursively " : "")}{step.Text1} on /{step.Text2}{Bind(step.Bind)}",
        InitOp.SetMountAttributes => $"set{Attributes((ulong)step.A)} on {Absolute(step.Text1!)}",
        InitOp.DeviceNode => $"make device {DeviceName(step)} /{step.Text1}",
        InitOp.DeviceBind => $"bind device {step.Text1} on /{step.Text2}",
        InitOp.Symlink => $"link /{step.Text2} to {step.Text1}",
        InitOp.AwaitHooks => "wait for prestart and createRuntime hooks",
        InitOp.ContainerHook => $"run createContainer hook {step.Hook!.Path}",
        InitOp.Console => "open a terminal in the container's devpts and pass its master on",
        InitOp.MakeDirectory => $"make directory {Absolute(step.Text1!)} if missing",
        InitOp.MaskPath => $"mask {Absolute(step.Text1!)}",
        InitOp.ReadonlyPath => $"make {Absolute(step.Text1!)} read-only",
        InitOp.PivotRoot => "pivot_root into the root file system and detach the old root",
        InitOp.MoveRoot => "move the root file system over / and chroot (--no-pivot)",
        InitOp.ChangeRoot => $"chroot into {step.Text1} (no mount namespace)",
        InitOp.DetachMount => $"detach the host's {step.Text1}",
        InitOp.RootPropagation => $"make / {PropagationName((ulong)step.A)}",
        InitOp.Hostname => $"set the hostname to {step.Text1}",
        InitOp.Domainname => $"set the domainname to {step.Text1}",
        InitOp.Sysctl => $"write {step.Text2} to /proc/{step.Text1}",
        InitOp.CloseHost => "close what is left open of the host",
        InitOp.NoNewPrivileges => "set no_new_privs",
        InitOp.ResourceLimit => $"set {step.Text1} soft {Limit(step.B)} hard {Limit(step.C)}",
        InitOp.AwaitLimits => "wait until the resource limits are set from outside the user namespace",
        InitOp.BoundingSet => $"limit the bounding set to {CapabilityList((ulong)step.A)}",
        InitOp.SetUser => $"become uid {step.A} gid {step.B}{((step.Flags & InitFlags.DenySetgroups) != 0 ? "" : $" groups [{string.Join(' ', step.Groups!)}]")}",
        InitOp.ChangeDirectory => $"enter {step.Text1}{((step.Flags & InitFlags.Retry) != 0 ? " (again as the container's user if it must be)" : " and check that it is inside the container")}",
        InitOp.Capabilities => $"set capabilities: effective {CapabilityList((ulong)step.A)}; permitted {CapabilityList((ulong)step.B)}; inheritable {CapabilityList((ulong)step.C)}; ambient {CapabilityList(step.Bind.Set)}",
        InitOp.Umask => $"set umask {Convert.ToString(step.A, 8).PadLeft(4, '0')}",
        InitOp.HomeDirectory => $"look up HOME of uid {step.A} in /etc/passwd",
        InitOp.FindExecutable => $"find the program {string.Join(" or ", step.Candidates!)}",
        InitOp.Ready => "report that all is set up",
        InitOp.AwaitStart => "wait for \"ocirun start\"",
        InitOp.StartHook => $"run startContainer hook {step.Hook!.Path}",
        InitOp.Execute => $"execute {step.Text1}",
        _ => step.Op.ToString(),
    };

    private static string Absolute(string path) => path == "." ? "/" : "/" + path;

    private static string Limit(long value) => value == -1 ? "unlimited" : ((ulong)value).ToString();

    private static string DeviceName(PlanStep step)
    {
        ulong device = (ulong)step.B;
        ulong major = (device >> 8 & 0xfff) | (device >> 32 & 0xfffff000), minor = (device & 0xff) | (device >> 12 & 0xffffff00);
        char type = ((int)step.A & Files.S_IFMT) switch { Files.S_IFBLK => 'b', Files.S_IFIFO => 'p', _ => 'c' };
        string owner = step.C == 0 ? "" : $" owned by {(uint)step.C}:{(uint)(step.C >> 32)}";
        return $"{type} {major}:{minor} mode {Convert.ToString(step.A & 0xfff, 8).PadLeft(4, '0')}{owner}";
    }

    private static string Options(PlanStep step)
    {
        if (step.Options is not { Count: > 0 }) return "";
        return " with " + string.Join(',', step.Options.ConvertAll(static o => o.Value == null ? o.Key : $"{o.Key}={o.Value}"));
    }

    private static string Bind(in BindAttributes bind)
    {
        string text = Attributes(bind.Set);
        if (bind.Clear != 0) text += " clearing" + Attributes(bind.Clear);
        if (bind.TreeSet != 0) text += " recursively" + Attributes(bind.TreeSet);
        if (bind.TreeClear != 0) text += " recursively clearing" + Attributes(bind.TreeClear);
        return text + PropagationWords(bind.PropagationWords);
    }

    private static string Attributes(ulong attributes)
    {
        string text = "";
        if ((attributes & Mounts.MOUNT_ATTR_RDONLY) != 0) text += " ro";
        if ((attributes & Mounts.MOUNT_ATTR_NOSUID) != 0) text += " nosuid";
        if ((attributes & Mounts.MOUNT_ATTR_NODEV) != 0) text += " nodev";
        if ((attributes & Mounts.MOUNT_ATTR_NOEXEC) != 0) text += " noexec";
        if ((attributes & Mounts.MOUNT_ATTR__ATIME) == Mounts.MOUNT_ATTR__ATIME) text += " atime";
        else if ((attributes & Mounts.MOUNT_ATTR_NOATIME) != 0) text += " noatime";
        else if ((attributes & Mounts.MOUNT_ATTR_STRICTATIME) != 0) text += " strictatime";
        if ((attributes & Mounts.MOUNT_ATTR_NODIRATIME) != 0) text += " nodiratime";
        if ((attributes & Mounts.MOUNT_ATTR_NOSYMFOLLOW) != 0) text += " nosymfollow";
        return text;
    }

    private static string PropagationWords(ulong words)
    {
        string text = "";
        while (words != 0)
        {
            words = Propagation.Next(words, out ulong flag, out bool recursive);
            text += " " + PropagationName(flag | (recursive ? Mounts.MS_REC : 0));
        }
        return text;
    }

    private static string PropagationName(ulong flags)
    {
        string name = (flags & Mounts.MS_SHARED) != 0 ? "shared" : (flags & Mounts.MS_PRIVATE) != 0 ? "private" : (flags & Mounts.MS_UNBINDABLE) != 0 ? "unbindable" : "slave";
        return (flags & Mounts.MS_REC) != 0 ? "r" + name : name;
    }

    private static string CapabilityList(ulong mask)
    {
        if (mask == 0) return "none";
        List<string> names = [];
        for (int i = 0; i < CapabilityNames.All.Length; i++) if ((mask >> i & 1) != 0) names.Add(CapabilityNames.All[i]);
        return string.Join(' ', names);
    }
}
