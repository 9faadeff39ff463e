using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A namespace to join.</summary>
internal struct NamespaceJoin
{
    public int Fd;

    /// <summary>CLONE_NEW… flag.</summary>
    public ulong Flag;

    /// <summary>The child's note that it is done with it.</summary>
    public bool Joined;
}

internal struct JoinNamespacesArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.JoinNamespaces;
    public NativeArray<NamespaceJoin> Joins;

    /// <summary>CLONE_NEW… flags of all of the container's namespaces but the pid namespace.</summary>
    public ulong Namespaces;

    /// <summary>createContainer hooks come later.</summary>
    public bool HasHooks;

    /// <summary>A new user namespace is made next, which takes the privileges over what is joined.</summary>
    public bool NewUserNext;
}

internal struct JoinPidNamespaceArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.JoinPidNamespace;

    /// <summary>startContainer hooks come later, and need their descriptors.</summary>
    public bool HasHooks;
}

internal struct JoinContainerArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.JoinContainer;

    /// <summary>CLONE_NEW… flags.</summary>
    public ulong Namespaces;

    /// <summary>Of the container's first process.</summary>
    public int PidFd;

    /// <summary>That one's root directory where it is not the one of a mount namespace, or -1.</summary>
    public int Root;
}

internal struct UnshareArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Unshare;

    /// <summary>CLONE_NEW… flags.</summary>
    public ulong Namespaces;
}

internal struct TimeOffsetsArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.TimeOffsets;

    /// <summary>The parent has some to write.</summary>
    public bool HasOffsets;
}

internal struct BecomeRootArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.BecomeRoot;

    /// <summary>What to become where there is no 0.</summary>
    public uint Uid, Gid;
    public GroupPolicy Groups;
}

internal unsafe struct ForkIntoPidNamespaceArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ForkIntoPidNamespace;

    /// <summary>CLONE_NEWPID where it is made now, or 0.</summary>
    public ulong Namespaces;

    /// <summary>Where the runtime finds the pid should it never be told; null where it ends itself then.</summary>
    public ulong* Successor;
}

/// <summary>Entering namespaces. The child is single-threaded, which the parent, a .NET process, never is.</summary>
internal static unsafe class NamespaceSteps
{
    private const int AF_INET = 2;
    private const uint SIOCGIFFLAGS = 0x8913, SIOCSIFFLAGS = 0x8914;
    private const byte IFF_UP = 1;

    /// <summary>
    /// Joins in three passes: all but the user namespace with the privilege of the caller, then the user namespace, then those that only
    /// its owner may join. A pid namespace waits for <see cref="JoinPid"/>, unless the privilege over it is gone by then.
    /// </summary>
    public static long Join(ref InitState s, JoinNamespacesArguments* wanted)
    {
        // None of them is to blame so far.
        s.Value = -1;
        // A joined mount namespace has somebody else's /proc: keep the host's.
        long proc = s.HostProc();
        if (proc < 0) return proc;
        NativeArray<NamespaceJoin> joins = wanted->Joins;
        long result = JoinPidEarly(ref s, wanted);
        if (result < 0) return result;
        for (int pass = 0; pass < 3; pass++)
        {
            for (int i = 0; i < joins.Count; i++)
            {
                bool user = joins[i].Flag == Processes.CLONE_NEWUSER;
                if (joins[i].Joined || user != (pass == 1)) continue;
                result = Processes.SetNamespace(joins[i].Fd, joins[i].Flag);
                if (result == -Errno.EPERM && pass == 0) continue;
                if (result < 0)
                {
                    s.Value = i;
                    return result;
                }
                joins[i].Joined = true;
                Files.Close(joins[i].Fd);
            }
        }
        return 0;
    }

    /// <summary>
    /// Takes the pid namespace out of the list. It is joined at once where that takes a privilege that the container's user namespace does
    /// not have: a new one has none outside itself, a joined one over what belongs to it and to those below.
    /// </summary>
    private static long JoinPidEarly(ref InitState s, JoinNamespacesArguments* wanted)
    {
        NativeArray<NamespaceJoin> joins = wanted->Joins;
        int user = -1, pid = -1;
        for (int i = 0; i < joins.Count; i++)
        {
            if (joins[i].Flag == Processes.CLONE_NEWUSER) user = joins[i].Fd;
            if (joins[i].Flag == Processes.CLONE_NEWPID) pid = i;
        }
        if (pid < 0) return 0;
        joins[pid].Joined = true;
        s.PidNamespace = joins[pid].Fd;
        bool changesUser = user >= 0 || wanted->NewUserNext;
        if (!changesUser || (user >= 0 && HasPowerOver(user, s.PidNamespace))) return 0;
        long result = wanted->HasHooks ? OutsideHooks.Begin(ref s, wanted->Namespaces) : 0;
        if (result < 0) return result;
        result = Processes.SetNamespace(s.PidNamespace, Processes.CLONE_NEWPID);
        s.ClonesIntoPidNamespace = result >= 0;
        if (result < 0) s.Value = pid;
        return result;
    }

    /// <summary>Whether a namespace belongs to a user namespace or one below it (ioctl_ns(2)).</summary>
    private static bool HasPowerOver(int user, int owned) =>
        Files.Stat(user, out Statx stat) >= 0 && Files.IsWithin(Files.Ioctl(owned, Files.NS_GET_USERNS, 0), stat);

    /// <summary>
    /// From here on clones are born in the joined pid namespace; nothing but the container is there to be seen, and no hook of the host's
    /// side comes any more.
    /// </summary>
    public static long JoinPid(ref InitState s, JoinPidNamespaceArguments* wanted)
    {
        OutsideHooks.End(ref s);
        if (!wanted->HasHooks) CloseHooks(ref s.Plan->Fds);
        long result = s.ClonesIntoPidNamespace ? 0 : Processes.SetNamespace(s.PidNamespace, Processes.CLONE_NEWPID);
        Files.Close(s.PidNamespace);
        s.PidNamespace = -1;
        s.ClonesIntoPidNamespace = true;
        return result;
    }

    private static void CloseHooks(ref InitDescriptors fds)
    {
        if (fds.State >= 0) Files.Close(fds.State);
        if (fds.HookStdout >= 0) Files.Close(fds.HookStdout);
        if (fds.HookStderr >= 0) Files.Close(fds.HookStderr);
        fds.State = fds.HookStdout = fds.HookStderr = -1;
    }

    /// <summary>
    /// Has the clock offsets written, which the kernel accepts only before the first process, and enters: setns needs no second fork here.
    /// The parent writes them, as the files of an undumpable process are the host's root's, even for itself (proc(5)).
    /// </summary>
    public static long Time(ref InitState s, TimeOffsetsArguments* offsets)
    {
        long result = 0;
        fixed (byte* children = "self/ns/time_for_children\0"u8)
        {
            if (offsets->HasOffsets) result = Sync.Ask(ref s, SyncKind.TimeOffsets, 0);
            if (result >= 0) result = s.HostProc();
            if (result >= 0) result = Files.OpenAt((int)result, children, Files.O_RDONLY);
            if (result < 0) return result;
            int fd = (int)result;
            result = Processes.SetNamespace(fd, Processes.CLONE_NEWTIME);
            Files.Close(fd);
            return result;
        }
    }

    /// <summary>
    /// Takes the ids 0 of the user namespace: until then every file operation is made by the overflow uid. Where they have no mapping
    /// (EINVAL) the program's own will do: what this process may do there it has from having made or joined the namespace.
    /// </summary>
    public static long BecomeRoot(ref InitState s, BecomeRootArguments* root)
    {
        uint gid = 0;
        long result = ProcessSteps.SetIds(ref s, default, root->Groups, 0, gid);
        if (result == -Errno.EINVAL && s.Detail == InitDetail.Gid)
            result = ProcessSteps.SetIds(ref s, default, root->Groups, 0, gid = root->Gid);
        if (result == -Errno.EINVAL && s.Detail == InitDetail.Uid)
            result = ProcessSteps.SetIds(ref s, default, root->Groups, root->Uid, gid);
        // The kernel forgets the death signal when ids change (prctl(2), PR_SET_PDEATHSIG).
        return result < 0 ? result : InitMain.TieToParent(ref s);
    }

    /// <summary>
    /// A pid namespace belongs to the user namespace of whoever makes it, so one for a joined user namespace needs a process that is
    /// already inside; and one that is joined takes children only. CLONE_PARENT makes the new process the runtime's child; this one ends
    /// and is reaped by the runtime.
    /// </summary>
    public static long Fork(ref InitState s, ForkIntoPidNamespaceArguments* fork)
    {
        // Until this one has told its pid the new process waits: the runtime must not take what that one says for this one's.
        int* pipe = stackalloc int[2];
        long pid = Files.Pipe(pipe, 0);
        if (pid >= 0) pid = Processes.ForkSibling(fork->Namespaces);
        if (pid < 0) return pid;
        if (pid > 0)
        {
            if (fork->Successor is not null) *fork->Successor = (ulong)pid;
            byte told = 1;
            long result = Sync.Tell(ref s, SyncKind.Forked, pid);
            if (result >= 0) result = Files.Write(pipe[1], &told, 1);
            Processes.Exit(result < 0 ? 1 : 0);
        }
        byte go;
        Files.Close(pipe[1]);
        // The runtime has not been told of this one.
        if (Files.Read(pipe[0], &go, 1) != 1) Processes.Exit(1);
        Files.Close(pipe[0]);
        return InitMain.TieToParent(ref s);
    }

    /// <summary>
    /// Enters the container of a process: all of its namespaces at once, where the kernel takes the user namespace first and checks the
    /// others against it; and its root directory, where that is not the one of a mount namespace. The pid namespace takes effect for the
    /// next clone only.
    /// </summary>
    public static long JoinContainer(ref InitState s, JoinContainerArguments* container)
    {
        s.LeaveHost();
        long result = container->Namespaces == 0 ? 0 : Processes.SetNamespace(container->PidFd, container->Namespaces);
        s.ClonesIntoPidNamespace = (container->Namespaces & Processes.CLONE_NEWPID) != 0;
        fixed (byte* root = "/\0"u8, dot = ".\0"u8)
        {
            if (result >= 0 && container->Root >= 0)
            {
                s.Detail = InitDetail.Target;
                result = Files.ChangeDirectory(container->Root);
                if (result >= 0) result = Mounts.ChangeRoot(dot);
            }
            if (result < 0) return result;
            Files.Close(container->PidFd);
            if (container->Root >= 0) Files.Close(container->Root);
            s.RootFd = (int)(result = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY));
            return result;
        }
    }

    /// <summary>The parent sends it unasked, as the first thing that it says.</summary>
    public static long EnterNetwork(ref InitState s)
    {
        long network = Sync.Await(ref s, passes: true);
        if (network < 0) return network;
        long result = Processes.SetNamespace((int)network, Processes.CLONE_NEWNET);
        Files.Close((int)network);
        return result;
    }

    /// <summary>A new network namespace has "lo", but down.</summary>
    public static long LoopbackUp()
    {
        long socket = Kernel.Call(SyscallNumber.Socket, AF_INET, Sockets.SOCK_DGRAM | Sockets.SOCK_CLOEXEC);
        if (socket < 0) return socket;
        // struct ifreq: 16 bytes of name, then a union that begins with the flags.
        byte* request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        request[0] = (byte)'l';
        request[1] = (byte)'o';
        long result = Files.Ioctl((int)socket, SIOCGIFFLAGS, (nint)request);
        request[16] |= IFF_UP;
        if (result >= 0) result = Files.Ioctl((int)socket, SIOCSIFFLAGS, (nint)request);
        Files.Close((int)socket);
        return result;
    }
}
