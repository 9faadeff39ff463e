using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// Errors of the child in words: where in config.json, what was being done, which part of it failed, the errno, and a hint where one is known.
/// </summary>
internal static class FailureText
{
    /// <summary>An error of init.</summary>
    /// <param name="plan">What it walks; null after `start`, when the plan is no longer at hand.</param>
    /// <param name="message">What it said.</param>
    public static OciException Explain(LaunchPlan? plan, InitMessage message)
    {
        if (plan == null || message.Step is not { } step) return ExplainStart(message);
        if (step.Op == InitOp.FindExecutable) return new OciException(Executable(step.Text1!, message.Errno), message.Errno);
        if (step.Op == InitOp.ResourceLimit) return Limit(step.Origin, step.Text1!, (ulong)step.B, (ulong)step.C, message.Errno);
        if (step.Op is InitOp.ContainerHook or InitOp.StartHook) return new OciException(HookFailure(message), message.Errno);
        if (step.Op == InitOp.JoinNamespaces && message is { Detail: InitDetail.None, Value: >= 0 } && step.Joins![(int)message.Value] is { Index: >= 0 } join)
        {
            return new OciException($"{join.Origin}: join the {join.Type} namespace {join.Path}: {Reason(step.Op, message)}", message.Errno);
        }
        string origin = step.Origin.ToString();
        return new OciException($"{(origin.Length == 0 ? "" : origin + ": ")}{StepText.Describe(step)}: {Reason(step.Op, message)}{Hint(plan, step, message)}", message.Errno);
    }

    /// <summary>An error after `start`, when the plan is no longer at hand.</summary>
    private static OciException ExplainStart(InitMessage message) => new(
        message.Op switch
        {
            InitOp.StartHook => HookFailure(message),
            InitOp.Seccomp => $"/linux/seccomp: load the filter: {Reason(message.Op, message)}",
            InitOp.Execute => $"exec {message.Text}: {Errno(message)}{ExecuteHint(message.Errno)}",
            _ => $"container init failed: {Reason(message.Op, message)}",
        },
        message.Errno);

    // The words are the hook's path and, after the first line end, what it printed. runc's bats tests match the text up to the colon.
    private static string HookFailure(InitMessage message)
    {
        string[] words = message.Text.Split('\n', 2);
        string kind = message.Op == InitOp.ContainerHook ? "createContainer" : "startContainer";
        string output = words.Length > 1 && words[1].Length > 0 ? $", output: {words[1]}" : "";
        return $"error running {kind} hook #{message.Value >> 32}: {words[0]}: {Reason(message.Op, message)}{output}";
    }

    /// <summary>A limit that the kernel refused, with the numbers (complaint no. 7 of other runtimes' users).</summary>
    public static OciException Limit(Origin origin, string type, ulong soft, ulong hard, int errno)
    {
        string text = $"{origin}: set {type} soft {Number(soft)} hard {Number(hard)}: {ErrnoText.Describe(errno)} ({ErrnoText.Name(errno)})";
        // The kernel's own limit comes first, and no privilege helps against it (do_prlimit()).
        if (errno == Linux.Errno.EPERM && type == "RLIMIT_NOFILE" && MostFiles() is { } most && hard > most) text += $": the kernel allows at most {most} (/proc/sys/fs/nr_open)";
        else if (errno == Linux.Errno.EPERM && Processes.GetLimit(0, ResourceNames.Number(type), out ResourceLimit own) >= 0 && hard > own.Hard)
        {
            text += $": the hard limit of the runtime is {Number(own.Hard)}, raising it needs CAP_SYS_RESOURCE";
        }
        return new OciException(text, errno);
    }

    private static ulong? MostFiles() =>
        Files.ReadFileAt(Files.AT_FDCWD, "/proc/sys/fs/nr_open", 32, out _) is { } text && ulong.TryParse(Encoding.ASCII.GetString(text).Trim(), out ulong most) ? most : null;

    // Docker, Podman and CRI-O choose their exit codes 126 and 127 by these words (Go's os/exec).
    private static string Executable(string name, int errno)
    {
        // execve(2)'s word as well, which is all that others have for it.
        if (name.Length == 0) return "exec: \"\": executable file not found in $PATH: no such file or directory";
        // Nor is one found whose name is too long, or leads in circles.
        if (!name.Contains('/') && errno is not (Linux.Errno.EACCES or Linux.Errno.EISDIR))
        {
            return $"exec: \"{name}\": executable file not found in $PATH{(errno == Linux.Errno.ENOENT ? "" : $": {ErrnoText.Describe(errno)}")}";
        }
        string call = errno == Linux.Errno.ENOENT ? $"stat {name}: " : "";
        // What execve(2) says to a directory. Docker, with newer runcs, looks for the first text, podman for the second.
        if (errno == Linux.Errno.EISDIR) return $"exec: \"{name}\": is a directory: permission denied";
        return $"exec: \"{name}\": {call}{ErrnoText.Describe(errno)}";
    }

    private static string Reason(InitOp op, InitMessage message)
    {
        string detail = Detail(message);
        // The text of execve and hooks is the path they were about.
        string words = op is InitOp.Execute or InitOp.StartHook or InitOp.ContainerHook ? "" : message.Text;
        if (message.Detail is InitDetail.HookStatus or InitDetail.HookSignal or InitDetail.HookTimeout) return detail;
        return (detail.Length == 0 ? "" : detail + ": ") + Errno(message) + (words.Length == 0 ? "" : $": {words}");
    }

    private static string Errno(InitMessage message) => $"{ErrnoText.Describe(message.Errno)} ({ErrnoText.Name(message.Errno)})";

    private static string Detail(InitMessage message) => message.Detail switch
    {
        InitDetail.Target => "destination",
        InitDetail.TargetIsSymlink => "destination must be a real directory, not a symbolic link",
        InitDetail.TargetIsRoot => "destination leads to the container's root",
        InitDetail.ProcMissing => "the host's /proc is not mounted",
        InitDetail.TargetInProc => "destination leads into the container's /proc",
        InitDetail.CreateTarget => "create",
        InitDetail.Source => "source",
        InitDetail.SourceNotProc => "source is not a procfs",
        InitDetail.FilesystemType => "file system type",
        InitDetail.Option => "option",
        InitDetail.Superblock => "create file system",
        InitDetail.MountObject => "create mount",
        InitDetail.Attributes => "set mount attributes",
        InitDetail.Attach => "attach",
        InitDetail.Propagation => "set propagation",
        InitDetail.NotADevice => "not the device it should be",
        InitDetail.ExistingNode => "a different file is there already",
        InitDetail.Parent => "make the parent mount private",
        InitDetail.Groups => "setgroups",
        InitDetail.Gid => "setgid",
        InitDetail.Uid => "setuid",
        InitDetail.KeepCaps => "keep capabilities",
        InitDetail.Ambient => "ambient",
        InitDetail.OutsideRoot => "is outside the container",
        InitDetail.OldRoot => "detach the old root",
        InitDetail.SendConsole => "send the terminal's master",
        InitDetail.ControllingTerminal => "controlling terminal",
        InitDetail.ConsoleNode => "/dev/console",
        InitDetail.BadProcFile => "/proc is not a procfs",
        InitDetail.Listener => "hand the listener over",
        InitDetail.CopyUp => "copy what is there",
        InitDetail.CopyUpDepth => "copy what is there: more than 256 directories deep",
        InitDetail.CopyUpOwner => "copy what is there: set the owner",
        InitDetail.CopyUpDevice => "copy what is there: make the device",
        InitDetail.NotMounted => "nothing is mounted there",
        InitDetail.Covering => "it leads to what hides or protects a path of the container, or has that on it",
        InitDetail.TakeMode => "take the mode of the directory that it covers",
        InitDetail.Detach => "detach",
        InitDetail.HostsFileSystem => "it would have to be made or changed in a file system of which there is only the host's",
        InitDetail.OtherOwner => "it has not the owner or mode that it should have",
        InitDetail.Prologue => "before it, close what is the runtime's own and die with it",
        InitDetail.HookFork => "clone",
        InitDetail.HookExecute => "execute",
        InitDetail.HookStatus => $"exit status {(uint)message.Value}",
        InitDetail.HookSignal => $"killed by signal {(uint)message.Value}",
        InitDetail.HookTimeout => $"hook ran past specified timeout of {(uint)message.Value}.0s",
        _ => "",
    };

    /// <summary>Why the kernel says so. What a hint takes for granted either follows from the step and the errno, or is looked at here.</summary>
    private static string Hint(LaunchPlan plan, PlanStep step, InitMessage message) => (step.Op, message.Errno) switch
    {
        (InitOp.HostPropagation, Linux.Errno.EINVAL) when !IsMountPoint("/") => ": / is no mount point: does the runtime run in a chroot? bind the new root onto itself before entering it",
        (InitOp.HostPropagation, Linux.Errno.EPERM or Linux.Errno.EACCES) => Host.UserNamespace.Obstacle(),
        (InitOp.RemoveMount, Linux.Errno.EINVAL) when message.Detail == InitDetail.Detach => ": it came with a mount namespace of more privilege, which locks it",
        (InitOp.JoinContainer, Linux.Errno.ESRCH) => $": {step.Text1 ?? "cannot exec in a stopped container"}",
        (InitOp.JoinContainer, Linux.Errno.EPERM) when Processes.EffectiveUid() != 0 => ": an ordinary user may only enter containers of his own",
        (InitOp.JoinPidNamespace, Linux.Errno.EPERM) => ": neither the caller nor the container's user namespace has power over the user namespace it belongs to",
        (InitOp.ForkIntoPidNamespace, Linux.Errno.ENOMEM) when step.Text1 != null => ": it takes no more processes, as its first one has ended",
        // With a pid namespace that is made here it is a matter of memory.
        (InitOp.ForkIntoPidNamespace, Linux.Errno.ENOMEM) when step.A == 0 => ": the container's pid namespace takes no more processes: cannot exec in a stopped container",
        (InitOp.ForkIntoPidNamespace, Linux.Errno.EAGAIN) => ": a limit on processes is reached (/linux/resources/pids, RLIMIT_NPROC, or the kernel's own)",
        (InitOp.ForkIntoPidNamespace or InitOp.NewSession, Linux.Errno.EPERM or Linux.Errno.ENOSYS) when IsFiltered(plan, step) => ": /linux/seccomp denies it; with /process/noNewPrivileges true the filter is loaded later",
        (InitOp.Affinity, Linux.Errno.EINVAL) => ": none of these CPUs is online and in the container's cpuset",
        (InitOp.OomScoreAdjust, Linux.Errno.EACCES) when step.A < OwnOomScore() => ": lowering it below what the caller has needs CAP_SYS_RESOURCE",
        (InitOp.DeviceBind, _) => DeviceHint(step, message),
        (InitOp.PivotRoot, Linux.Errno.EINVAL) when Host.MountTable.Read().Exists(static m => m is { Point: "/", Type: "rootfs" }) => ": the host's root is the initial RAM file system, which cannot be pivoted from: use --no-pivot",
        (InitOp.MountFilesystem or InitOp.MountBind or InitOp.SetMountAttributes or InitOp.ReconfigureFilesystem or InitOp.AttachMount, _) => MountHints.Of(plan, step, message),
        (InitOp.SetUser or InitOp.BecomeRoot, Linux.Errno.EPERM) when message.Detail == InitDetail.Groups && plan.InUserNamespace => $": the user namespace may deny it (/proc/self/setgroups); {Spec.Annotations.Pointer(Spec.Annotations.KeepOriginalGroups)} keeps the caller's",
        (InitOp.SetUser or InitOp.BecomeRoot, Linux.Errno.EINVAL) when plan.InUserNamespace => $": an id has no mapping in the user namespace{(plan.IdMaps == null ? "" : " (/linux/uidMappings, /linux/gidMappings)")}",
        (InitOp.Console, Linux.Errno.ENOENT or Linux.Errno.ENODEV) when message.Detail is InitDetail.Source or InitDetail.NotADevice => ": a terminal needs a mount of type devpts at /dev/pts (/mounts)",
        (InitOp.TimeOffsets, Linux.Errno.ERANGE) => ": a clock would show less than zero, or more than 146 years",
        (InitOp.Execute, _) => ExecuteHint(message.Errno),
        (InitOp.Seccomp, Linux.Errno.EACCES) => ": without /process/noNewPrivileges it takes CAP_SYS_ADMIN",
        (InitOp.Seccomp, Linux.Errno.EINVAL) when !SeccompFilter.KnowsFlags((uint)step.A) => ": the kernel does not know one of /linux/seccomp/flags",
        (InitOp.Seccomp, Linux.Errno.EBUSY) => ": there is a listener already, a process can have one only",
        (InitOp.SecurityAttribute, _) => step.Text1!.Contains("apparmor") ? ProfileHint(message.Errno) : LabelHint(message.Errno),
        (InitOp.Scheduler, _) => SchedulingHint.Scheduler(step.Schedule, message.Errno),
        (InitOp.IoPriority, Linux.Errno.EPERM) when step.A >> Scheduling.IOPRIO_CLASS_SHIFT == 1 => ": IOPRIO_CLASS_RT takes CAP_SYS_NICE or CAP_SYS_ADMIN outside any user namespace",
        (InitOp.MemoryPolicy, Linux.Errno.EINVAL) => ": the cgroup allows none of these nodes, or the kernel does not know the mode or a flag",
        (InitOp.MemoryPolicy, Linux.Errno.ENOSYS) => ": the kernel has no NUMA support",
        (InitOp.BindRootfs, Linux.Errno.EACCES) => ": the container's root user cannot reach the directory: check the permissions on the way to it",
        _ => "",
    };

    private static bool IsFiltered(LaunchPlan plan, PlanStep step) => plan.Steps.FindIndex(static s => s.Op == InitOp.Seccomp) is var filter and >= 0 && filter < plan.Steps.IndexOf(step);

    private static bool IsMountPoint(string path) => Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) >= 0 && (stat.Attributes & Files.STATX_ATTR_MOUNT_ROOT) != 0;

    /// <summary>The runtime's own, with which the child began; where it cannot be read, so low that nothing is below it.</summary>
    private static int OwnOomScore() =>
        Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/oom_score_adj", 16, out _) is { } text && int.TryParse(Encoding.ASCII.GetString(text).Trim(), out int score) ? score : int.MinValue;

    /// <summary>A node is bound only where none can be made: the default ones in any user namespace, those of the configuration where the runtime has not the right either.</summary>
    private static string DeviceHint(PlanStep step, InitMessage message)
    {
        string right = step.Origin == Origin.Runtime ? ": a user namespace cannot make device nodes, so the host's device of the same path is bound"
            : ": making device nodes takes CAP_MKNOD outside of any user namespace, which the runtime has not, so the host's device of the same path is bound";
        return message.Detail switch
        {
            InitDetail.Source when message.Errno == Linux.Errno.ENOENT => right,
            InitDetail.NotADevice => right,
            InitDetail.OtherOwner => $"{right}, as it is{Asked(step)}",
            _ => "",
        };
    }

    private static string Asked(PlanStep step)
    {
        List<string> asked = [];
        uint uid = (uint)step.C, gid = (uint)(step.C >> 32);
        if (uid != InitPlan.AnyId) asked.Add($"uid {uid}");
        if (gid != InitPlan.AnyId) asked.Add($"gid {gid}");
        if ((step.Flags & InitFlags.SameMode) != 0) asked.Add($"fileMode 0{Convert.ToString(step.A & 0xfff, 8)}");
        string host = Files.StatAt(Files.AT_FDCWD, step.Text1!, 0, out Statx stat) < 0 ? "" : $" (here uid {stat.Uid}, gid {stat.Gid}, mode 0{Convert.ToString(stat.Mode & 0xfff, 8)})";
        return $"{host}; asked for is {string.Join(", ", asked)}";
    }

    private static string ProfileHint(int errno) => errno switch
    {
        Linux.Errno.ENOENT => ": the profile is not loaded",
        Linux.Errno.EACCES or Linux.Errno.EPERM when IsConfined() => ": the runtime's own profile does not allow the change",
        Linux.Errno.EINVAL => ": AppArmor does not answer there",
        _ => "",
    };

    private static bool IsConfined() => Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/attr/current", 4096, out _) is { Length: > 0 } profile && !profile.AsSpan().StartsWith("unconfined"u8);

    private static string LabelHint(int errno) => errno switch
    {
        Linux.Errno.EINVAL => ": the loaded SELinux policy has no such context",
        Linux.Errno.EACCES => ": the SELinux policy does not allow it",
        _ => "",
    };

    private static string ExecuteHint(int errno) => errno switch
    {
        // The file itself was found before: unless somebody has removed it since, what is missing is what its first line or its ELF header names.
        Linux.Errno.ENOENT => ": the file was found before; if it is still there, its interpreter or dynamic loader does not exist in the container",
        Linux.Errno.ENOEXEC => ": not a program for this machine, or a script without a #! line",
        _ => "",
    };

    private static string Number(ulong value) => value == ulong.MaxValue ? "unlimited" : value.ToString();
}
