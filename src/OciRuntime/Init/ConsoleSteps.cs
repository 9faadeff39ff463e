using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What a new terminal is to the process.</summary>
internal enum TerminalRole
{
    /// <summary>The container's own: bound on /dev/console, and the session's.</summary>
    Console,

    /// <summary>The same, but a later step makes it the session's.</summary>
    ConsoleOfLaterSession,

    /// <summary>Not the container's own: it is not bound on /dev/console, and a later step makes it the session's.</summary>
    Stdio,
}

internal struct ConsoleArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Console;

    /// <summary>All 0 to leave it as it is.</summary>
    public WindowSize Size;
    public TerminalRole Role;
}

/// <summary>The container's terminal: a pair from its own devpts, whose master goes to the caller.</summary>
internal static unsafe class ConsoleSteps
{
    private const uint TIOCSPTLCK = 0x40045431, TIOCGPTPEER = 0x5441, TIOCSCTTY = 0x540E, TIOCGPTN = 0x80045430;

    public static long Open(ref InitState s, ConsoleArguments* terminal)
    {
        long master = OpenMaster(ref s);
        if (master < 0) return master;
        long slave = OpenSlave((int)master, terminal->Size);
        long result = slave;
        bool own = terminal->Role != TerminalRole.Stdio;
        if (result >= 0 && own) result = BindConsoleNode(ref s, (int)slave);
        if (result >= 0) result = SendMaster(ref s, (int)master);
        Files.Close((int)master);
        if (result >= 0) result = Adopt(ref s, (int)slave);
        if (result < 0 || terminal->Role != TerminalRole.Console) return result;
        s.Detail = InitDetail.ControllingTerminal;
        return Control();
    }

    /// <summary>
    /// The multiplexer must be the one of a devpts (file system, inode 2, device 5:2), not something the image put there (CVE-2025-52565).
    /// </summary>
    private static long OpenMaster(ref InitState s)
    {
        s.Detail = InitDetail.Source;
        fixed (byte* path = "dev/pts/ptmx\0"u8)
        {
            // Looked at before it is opened: opening an image's device node may already do something (a watchdog starts to count).
            long fd = RootPath.Open(s.RootFd, path, Files.O_PATH, Files.RESOLVE_NO_SYMLINKS);
            if (fd < 0) return fd;
            bool genuine = Files.StatFs((int)fd, out Statfs fs) >= 0 && fs.Type == Files.DEVPTS_SUPER_MAGIC
                && Files.Stat((int)fd, out Statx stat) >= 0 && stat.Inode == 2 && stat.RdevMajor == 5 && stat.RdevMinor == 2;
            if (!genuine) s.Detail = InitDetail.NotADevice;
            long master = genuine ? s.Reopen((int)fd, Files.O_RDWR | Files.O_NOCTTY) : -Errno.ENODEV;
            Files.Close((int)fd);
            return master;
        }
    }

    /// <summary>The slave by ioctl from its master: its path could be anything's by now.</summary>
    private static long OpenSlave(int master, in WindowSize size)
    {
        int unlocked = 0;
        long result = Files.Ioctl(master, TIOCSPTLCK, (nint)(&unlocked));
        if (result < 0) return result;
        long slave = Files.Ioctl(master, TIOCGPTPEER, Files.O_RDWR | Files.O_NOCTTY | Files.O_CLOEXEC);
        if (slave < 0 || (size.Rows | size.Columns) == 0) return slave;
        result = Terminal.SetSize((int)slave, size);
        return result < 0 ? result : slave;
    }

    /// <summary>
    /// Binds the slave on /dev/console, which is made without following a link the image may have there (CVE-2026-88264).
    /// </summary>
    private static long BindConsoleNode(ref InitState s, int slave)
    {
        s.Detail = InitDetail.ConsoleNode;
        fixed (byte* path = "dev/console\0"u8)
        {
            long target = RootPath.OpenFile(ref s, path, Files.RESOLVE_NO_SYMLINKS);
            if (target < 0) return target;
            byte empty = 0;
            long mount = Mounts.OpenTree(slave, &empty, Mounts.OPEN_TREE_CLONE | Files.AT_EMPTY_PATH);
            return MountSteps.Attach(ref s, mount, (int)target, 0);
        }
    }

    /// <summary>
    /// To the console socket: one message, the pty's name as data, exactly one descriptor. In the foreground, to the parent.
    /// </summary>
    private static long SendMaster(ref InitState s, int master)
    {
        s.Detail = InitDetail.SendConsole;
        if (s.Plan->Fds.Console < 0) return Sync.Ask(ref s, SyncKind.Console, 0, master);
        int number = 0;
        long result = Files.Ioctl(master, TIOCGPTN, (nint)(&number));
        if (result < 0) return result;
        byte* name = stackalloc byte[40];
        fixed (byte* prefix = "/dev/pts/\0"u8)
        {
            int length = InitText.Append(name, 0, 40, prefix);
            length += InitText.Number(name + length, number);
            result = Sockets.Send(s.Plan->Fds.Console, name, length, master);
        }
        Files.Close(s.Plan->Fds.Console);
        return result;
    }

    /// <summary>Makes the slave stdin, stdout and stderr.</summary>
    private static long Adopt(ref InitState s, int slave)
    {
        for (int fd = 0; fd <= 2; fd++)
        {
            long result = Files.Duplicate(slave, fd);
            if (result < 0) return result;
        }
        s.TerminalFd = 0;
        return Files.Close(slave);
    }

    /// <summary>Makes the terminal on stdin the controlling one of the session, whose leader this process is.</summary>
    public static long Control() => Files.Ioctl(0, TIOCSCTTY, 0);
}
