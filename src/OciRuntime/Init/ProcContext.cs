using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// A procfs for the pid namespace that the container will be in and this process is not: the kernel takes the namespace of whoever opens
/// the context (fsopen(2)), or since Linux 6.18 the one that the option "pidns" gives. Before that somebody has to be there who has
/// CAP_SYS_ADMIN, and whom a peer with CAP_SYS_PTRACE may take over. So he is left with nothing that would be worth it: an empty mount
/// namespace of his own, one socket, and a filter that lets him open contexts, which without more are good for nothing, send them, and end.
/// </summary>
internal static unsafe class ProcContext
{
    // For a scheduler under load; what is waited for takes a millisecond.
    private const int TimeoutMilliseconds = 10_000;

    /// <summary>A new context, or a negated errno.</summary>
    public static long Open(ref InitState s)
    {
        fixed (byte* type = "proc\0"u8, option = "pidns\0"u8)
        {
            long context = Mounts.FsOpen(type);
            if (context < 0 || s.PidNamespace < 0) return context;
            // It had to be joined early, as the container's user namespace has no power over it: so it has none to mount its procfs either.
            long result = s.ClonesIntoPidNamespace ? -Errno.EPERM : Mounts.FsConfigFd((int)context, option, s.PidNamespace);
            if (result >= 0) return context;
            Files.Close((int)context);
            if (result == -Errno.EINVAL) return FromInside(ref s);
            s.Detail = InitDetail.Superblock;
            return result;
        }
    }

    /// <summary>What came from a process that others may have taken over: passes the mount on, if it is that of a procfs.</summary>
    public static long Check(int mount)
    {
        long result = Files.StatFs(mount, out Statfs fs);
        if (result >= 0 && fs.Type == Files.PROC_SUPER_MAGIC) return mount;
        Files.Close(mount);
        return result < 0 ? result : -Errno.EPROTO;
    }

    private static long FromInside(ref InitState s)
    {
        int* pair = stackalloc int[2];
        long result = Sockets.Pair(Sockets.SOCK_SEQPACKET, pair);
        if (result < 0) return result;
        int pidfd = -1;
        long pid = Processes.Fork(&pidfd);
        if (pid == 0) SendFromInside(ref s, pair[1]);
        Files.Close(pair[1]);
        result = pid < 0 ? pid : Receive(pair[0]);
        Files.Close(pair[0]);
        if (pid < 0) return result;
        // It has ended, or is not waited for any longer.
        Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        Processes.Wait((int)pid, out _, 0);
        Files.Close(pidfd);
        return result;
    }

    private static long Receive(int socket)
    {
        PollFd poll = new() { Fd = socket, Events = Processes.POLLIN };
        long result = Processes.Poll(&poll, 1, TimeoutMilliseconds);
        if (result == 0) return -Errno.ETIMEDOUT;
        int errno = 0;
        int passed = -1;
        if (result > 0) result = Sockets.Receive(socket, &errno, sizeof(int), out passed);
        if (result == sizeof(int) && errno == 0 && passed >= 0) return passed;
        if (passed >= 0) Files.Close(passed);
        return result < 0 ? result : result == sizeof(int) && errno > 0 ? -errno : -Errno.EPROTO;
    }

    /// <summary>The process outside: gives everything up, then clones the one that is inside. Does not return.</summary>
    private static void SendFromInside(ref InitState s, int socket)
    {
        long result = Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        // Init may keep it for hooks.
        InitMain.ForgetCaller(s.Plan);
        if (result >= 0) result = Processes.SetNamespace(s.PidNamespace, Processes.CLONE_NEWPID);
        if (result >= 0) result = LeaveEverything(ref s);
        if (result >= 0) result = Files.CloseRange(0, (uint)socket - 1, 0);
        if (result >= 0) result = Files.CloseRange((uint)socket + 1, uint.MaxValue, 0);
        if (result >= 0) result = Credentials.SetCapabilities(1UL << Credentials.CAP_SYS_ADMIN, 1UL << Credentials.CAP_SYS_ADMIN, 0);
        if (result >= 0) result = LoadFilter();
        if (result >= 0) result = Processes.ForkSimply();
        if (result == 0) SendContext(socket);
        if (result < 0) Send(socket, result, -1);
        // Whatever it ended with, the message it sent, or did not send, is the result.
        else Processes.Wait((int)result, out _, 0);
        Processes.Exit(0);
    }

    /// <summary>An empty file system for a root, and a mount namespace with nothing else in it.</summary>
    private static long LeaveEverything(ref InitState s)
    {
        long result = Processes.Unshare(Processes.CLONE_NEWNS);
        fixed (byte* root = "/\0"u8, dot = ".\0"u8)
        {
            // What is done here reaches neither the host nor the container.
            if (result >= 0) result = Mounts.SetPropagation(root, Mounts.MS_SLAVE | Mounts.MS_REC);
            if (result >= 0) result = ProtectionSteps.EmptyDirectory(ref s, default);
            if (result < 0) return result;
            s.RootFd = (int)result;
            result = Files.OpenAt(Files.AT_FDCWD, root, Files.O_PATH | Files.O_DIRECTORY);
            if (result >= 0) result = Mounts.Move(s.RootFd, (int)result);
            if (result >= 0) result = RootSteps.Pivot(ref s);
            // A root on initramfs cannot be left; it stays below, where only a mount namespace that is joined shows it.
            if (result != -Errno.EINVAL) return result;
            result = Files.ChangeDirectory(s.RootFd);
            return result < 0 ? result : Mounts.ChangeRoot(dot);
        }
    }

    private static long LoadFilter()
    {
        const int count = 11;
        SockFilter* code = stackalloc SockFilter[count];
        uint allow = SeccompFilter.RET_ALLOW, deny = SeccompFilter.RET_ERRNO | Errno.EPERM;
        code[0] = new(SeccompFilter.LoadWord, 0, 0, SeccompFilter.ArchOffset);
        code[1] = new(SeccompFilter.JumpEqual, 0, 7, SyscallNumber.AuditArch);
        code[2] = new(SeccompFilter.LoadWord, 0, 0, SeccompFilter.NumberOffset);
        code[3] = new(SeccompFilter.JumpEqual, 6, 0, SyscallNumber.Fsopen);
        code[4] = new(SeccompFilter.JumpEqual, 5, 0, SyscallNumber.Sendmsg);
        code[5] = new(SeccompFilter.JumpEqual, 4, 0, SyscallNumber.Clone3);
        code[6] = new(SeccompFilter.JumpEqual, 3, 0, SyscallNumber.Clone);
        code[7] = new(SeccompFilter.JumpEqual, 2, 0, SyscallNumber.Wait4);
        code[8] = new(SeccompFilter.JumpEqual, 1, 0, SyscallNumber.ExitGroup);
        code[9] = new(SeccompFilter.Return, 0, 0, deny);
        code[10] = new(SeccompFilter.Return, 0, 0, allow);
        SockProgram program = new() { Length = count, Instructions = code };
        return SeccompFilter.Load(&program, 0);
    }

    /// <summary>The process inside. Does not return.</summary>
    private static void SendContext(int socket)
    {
        fixed (byte* type = "proc\0"u8)
        {
            long context = Mounts.FsOpen(type);
            Send(socket, context, (int)context);
        }
        Processes.Exit(0);
    }

    /// <summary>Whoever waits sees the end of the connection where it fails.</summary>
    private static void Send(int socket, long result, int passed)
    {
        int errno = result < 0 ? (int)-result : 0;
        // See above.
        Sockets.Send(socket, &errno, sizeof(int), passed);
    }
}
