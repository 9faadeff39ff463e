using System.Text;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>What a launch would fail on.</summary>
/// <param name="Step">The step; null where there is no process to do any.</param>
/// <param name="Pointer">Where config.json asks for it, or "".</param>
/// <param name="Words">The message that the launch would end with, but for the pointer.</param>
/// <param name="Failure">What the kernel said.</param>
internal sealed record Shortcoming(PlanStep? Step, string Pointer, string Words, StepFailure Failure)
{
    /// <summary>Takes a message apart that may begin with a pointer, which is "" then.</summary>
    public static (string Pointer, string Words) Split(string message)
    {
        int end = message.StartsWith('/') ? message.IndexOf(": ", StringComparison.Ordinal) : -1;
        return end < 0 ? ("", message) : (message[..end], message[(end + 2)..]);
    }
}

/// <summary>
/// Has a child go through the steps of a launch that are its own affair, in namespaces that end with it, and look for what the others need:
/// all that fails is found at once, and nothing of the host's is changed. What runs programs of others (hooks, the container's), joins
/// namespaces that others are in, or belongs to the cgroup, is left out.
/// </summary>
internal static class LaunchRehearsal
{
    // Of silence: a step looks at a few files. One that has not answered by then waits for a file system that does not, too.
    private const int PatienceMilliseconds = 5000, EndMilliseconds = 2000;

    /// <summary>Looks; the first in the plan comes first.</summary>
    public static List<Shortcoming> Find(LaunchPreparation p, HostFacts host)
    {
        LaunchPlan plan = PlanOf(p);
        if (plan.Steps.Count == 0) return [];
        bool isOwn = plan.IdMaps is not null && p.Plan.Joins.Count == 0;
        List<Shortcoming> found = [];
        CompiledPlan compiled = PlanCompiler.Compile(plan, new InheritedDescriptors());
        try
        {
            (Fd one, Fd other) = Sockets.Pair(Sockets.SOCK_SEQPACKET);
            using Fd socket = one;
            long pid;
            int number;
            using (other) pid = compiled.Rehearse(other.Number, isOwn, host.Has(Credentials.CAP_SYS_ADMIN), out number);
            if (pid < 0)
            {
                OciException refused = ChildProcess.NotCloned(plan, pid);
                return [Refused(refused)];
            }
            using Fd pidfd = new(number);
            try
            {
                Listen(plan, p.Plan, (int)pid, socket.Number, isOwn, found);
            }
            catch (OciException e)
            {
                // The id maps: without them there is nobody to go on.
                found.Add(Refused(e));
            }
            finally
            {
                End((int)pid, pidfd.Number);
            }
        }
        finally
        {
            compiled.Free();
        }
        return found;
    }

    private static void Listen(LaunchPlan plan, LaunchPlan whole, int pid, int socket, bool isOwn, List<Shortcoming> found)
    {
        List<(MountFilesystemStep Step, int Errno)> sources = [];
        for (int next = 0; next < plan.Steps.Count;)
        {
            if (!Processes.AwaitReadable(socket, PatienceMilliseconds))
            {
                PlanStep silent = plan.Steps[next];
                found.Add(new(silent, silent.Origin.ToString(),
                    $"{silent.Describe()}: a file system on its way has not answered for {PatienceMilliseconds / 1000} s",
                    new(Errno.ETIMEDOUT, InitDetail.None)));
                break;
            }
            long length = Sockets.ReceiveValue(socket, out SyncMessage message, out int passed, out _);
            using Fd none = new(passed);
            if (length is 0 or -Errno.ECONNRESET) break;
            OciException.Check(length, "receive from the rehearsal");
            PlanStep step = plan.Steps[message.Step];
            if (message.Kind == SyncKind.IdMaps)
            {
                IdMapper.Write(pid, plan.IdMaps!, null);
                Answer(socket, 0);
            }
            else if (message.Kind == SyncKind.TimeOffsets)
            {
                Answer(socket, LaunchContext.WriteTimeOffsets(pid, ((TimeOffsetsStep)step).Lines));
            }
            else
            {
                next = message.Step + 1;
                if (message.Errno != 0) found.Add(Failed(whole, step, message));
                else if (!isOwn && step is MountFilesystemStep mount && message.Value != 0) sources.Add((mount, (int)message.Value));
            }
        }
        AddSources(whole, sources, found);
    }

    /// <summary>Of a file system that is on a block device the kernel says so once it has it.</summary>
    private static void AddSources(LaunchPlan whole, List<(MountFilesystemStep Step, int Errno)> sources, List<Shortcoming> found)
    {
        if (sources.Count == 0) return;
        string known = "\n" + Encoding.ASCII.GetString(Files.ReadFileAt(Files.AT_FDCWD, "/proc/filesystems", 1 << 16, out _) ?? []);
        foreach ((MountFilesystemStep step, int errno) in sources)
        {
            if (!known.Contains($"\n\t{step.Type}\n")) continue;
            found.Add(Failed(whole, step, new StepFailure(errno, InitDetail.Superblock)));
        }
    }

    private static Shortcoming Failed(LaunchPlan whole, PlanStep step, in SyncMessage message)
    {
        string text = VisibleText.Lines(Encoding.UTF8.GetString(message.Text[..message.TextLength]).TrimEnd());
        return Failed(whole, step, new StepFailure(message.Errno, message.Detail, message.Value, text));
    }

    private static Shortcoming Failed(LaunchPlan whole, PlanStep step, in StepFailure failure)
    {
        string pointer = step.Origin.ToString();
        return new(step, pointer, Without(pointer, step.Explain(whole, failure)), failure);
    }

    private static Shortcoming Refused(OciException e)
    {
        (string pointer, string words) = Shortcoming.Split(e.Message);
        return new(null, pointer, words, new(e.Errno, InitDetail.None));
    }

    private static string Without(string pointer, string message) =>
        pointer.Length > 0 && message.StartsWith(pointer + ": ", StringComparison.Ordinal) ? message[(pointer.Length + 2)..] : message;

    private static void Answer(int socket, long result)
    {
        SyncMessage answer = new() { Errno = result < 0 ? (int)-result : 0 };
        // One that is gone shows as the end of the conversation.
        if (Sockets.SendValue(socket, answer) is not (-Errno.EPIPE or -Errno.ECONNRESET) and < 0 and var error)
            throw OciException.FromResult(error, "answer the rehearsal");
    }

    /// <summary>It has nothing that could be lost. One that waits for a dead file system may not even be killed: then it is left.</summary>
    private static void End(int pid, int pidfd)
    {
        // ESRCH: it has ended by itself.
        Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        // Else whoever adopts it reaps it.
        if (Processes.AwaitReadable(pidfd, EndMilliseconds)) Processes.Reap(pid, out _);
    }

    /// <summary>There are hooks before the container's root is entered, which may change what is in it, or its network.</summary>
    private static bool HasHooks(LaunchPreparation p) => p.HasHooksOutside || p.Spec.Hooks is { CreateContainer.Length: > 0 };

    private static LaunchPlan PlanOf(LaunchPreparation p)
    {
        List<PlanStep> steps = [];
        ulong joined = 0;
        foreach (NamespacePath join in p.Plan.Joins) joined |= join.Flag;
        // What would be done in a user namespace of others cannot be done elsewhere.
        if ((joined & Processes.CLONE_NEWUSER) == 0) p.Plan.Steps.ForEach(step => Add(p, step, joined, steps));
        return new LaunchPlan
        {
            CloneFlags = p.Plan.CloneFlags,
            PidNamespace = null,
            IdMaps = p.Plan.IdMaps,
            PrivatePidNamespace = false,
            Steps = steps,
            Arguments = [],
            Environment = [],
            HomeFromImage = false,
            Warnings = [],
            Refusals = [],
        };
    }

    private static void Add(LaunchPreparation p, PlanStep step, ulong joined, List<PlanStep> steps)
    {
        bool isOthers = step switch
        {
            HostnameStep or DomainnameStep => (joined & Processes.CLONE_NEWUTS) != 0,
            SysctlStep sysctl => !IsSettled(p, sysctl, joined),
            UnshareStep or AwaitIdMapsStep or BecomeRootStep or TimeOffsetsStep or LoopbackUpStep or SchedulerStep or IoPriorityStep
                or PersonalityStep or MemoryPolicyStep or BoundingSetStep or SetUserStep or CapabilitiesStep => false,
            HostPropagationStep or HostRootStep or BindRootfsStep or MountFilesystemStep or DeviceNodeStep or DeviceBindStep =>
                (joined & Processes.CLONE_NEWNS) != 0,
            // What the launch makes itself: cgroups, the directory of a socket.
            MountBindStep bind => (joined & Processes.CLONE_NEWNS) != 0 || bind.Origin == Origin.Runtime
                || Array.IndexOf(p.Cgroups.Paths, bind.Source) >= 0,
            MakeDirectoryStep => (joined & Processes.CLONE_NEWNS) != 0 || HasHooks(p),
            _ => true,
        };
        if (isOthers) return;
        if (step is HostRootStep)
        {
            steps.Add(new HostPropagationStep(Origin.Runtime, Mounts.MS_PRIVATE | Mounts.MS_REC, p.Rootfs));
            steps.Add(new BindRootfsStep(p.Rootfs));
        }
        else
        {
            steps.Add(step);
        }
    }

    /// <summary>
    /// Whether a setting belongs to a namespace that is made, and what it is about is there from the beginning: network devices may come
    /// with hooks, or be moved there.
    /// </summary>
    private static bool IsSettled(LaunchPreparation p, SysctlStep sysctl, ulong joined)
    {
        if (SpecWords.NamespaceOfSysctl(SpecText.SysctlPath(sysctl.Origin.Member!)) is not { } kind) return false;
        ulong flag = NamespaceNames.Flag(kind);
        bool isNew = (joined & flag) == 0 && Array.Exists(p.Spec.Linux?.Namespaces ?? [], one => one.Type == kind);
        bool isLate = flag == Processes.CLONE_NEWNET && (HasHooks(p) || p.Spec.Linux!.NetDevices.Count > 0);
        return isNew && !isLate;
    }
}
