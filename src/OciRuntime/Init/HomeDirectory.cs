using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct HomeDirectoryArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.HomeDirectory;
    public uint Uid;

    /// <summary>The environment's entry: "HOME=", and room for the directory.</summary>
    public NativeArray<byte> Entry;

    /// <summary>This process still has rights that the program does not get.</summary>
    public bool Privileged;
}

/// <summary>
/// HOME from the image's /etc/passwd. The file is the image's: it may be a FIFO, a device, endless or one long line, so it is opened
/// without blocking, must be a regular file, and only its first mebibyte is read. Nor is it opened where files are the kernel's functions:
/// a link to /proc/kmsg would be followed with all rights of the runtime when a filter is loaded early. What is mounted there may be on a
/// file system that answers late or never: a FUSE server of the container's own, for one.
/// </summary>
internal static unsafe class HomeDirectory
{
    private const int Limit = 1 << 20, Block = 4096;

    /// <summary>Milliseconds that a file system other than the root's may take.</summary>
    private const int LookMilliseconds = 3000;

    /// <summary>Writes the directory of the uid, or "/", behind the "HOME=" that the buffer begins with.</summary>
    public static long Find(ref InitState s, HomeDirectoryArguments* wanted)
    {
        byte* home = wanted->Entry.Items + 5;
        int room = wanted->Entry.Count - 5;
        Default(home);
        // Where others see the child it has no right that the program has not, as little as anybody else of the runtime's: in a user
        // namespace of its own it has none at all, from birth.
        ulong flags = s.ClonesIntoPidNamespace && wanted->Privileged ? Processes.CLONE_NEWUSER : 0;
        if (Look(s.RootFd, wanted->Uid, home, room, Files.RESOLVE_NO_XDEV) == -Errno.EXDEV)
            LookApart(s.RootFd, wanted->Uid, home, room, flags);
        return 0;
    }

    private static void Default(byte* home)
    {
        home[0] = (byte)'/';
        home[1] = 0;
    }

    private static long Look(int root, uint uid, byte* home, int room, ulong resolve)
    {
        fixed (byte* path = "etc/passwd\0"u8)
        {
            // Looked at before it is opened, and again afterwards: whoever exchanges it between the two gains an open file that nobody
            // reads.
            long fd = RootPath.Open(root, path, Files.O_PATH, resolve);
            if (fd < 0) return fd;
            bool isFile = IsFile((int)fd, out Statx found);
            Files.Close((int)fd);
            fd = isFile ? RootPath.Open(root, path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_NOCTTY, resolve) : -Errno.EINVAL;
            if (fd < 0) return fd;
            bool same = IsFile((int)fd, out Statx opened) && opened.Identity == found.Identity;
            if (same) Scan((int)fd, uid, home, room);
            Files.Close((int)fd);
            return 0;
        }
    }

    /// <summary>
    /// By a child, which is left alone when its time is over: nothing ends a process whose request a FUSE server has taken and does not
    /// answer, not even SIGKILL (request_wait_answer in fs/fuse/dev.c). It ends with the request.
    /// </summary>
    private static void LookApart(int root, uint uid, byte* home, int room, ulong flags)
    {
        int* pipe = stackalloc int[2];
        if (Files.Pipe(pipe, 0) < 0) return;
        int pidfd = -1;
        long pid = Processes.Fork(&pidfd, flags);
        if (pid == 0)
        {
            // Whoever waits for the end of a stream, or of the conversation with the runtime, must not wait for this process.
            CloseAllBut(root, pipe[1]);
            // What cannot be looked at is not found.
            Look(root, uid, home, room, 0);
            int length = 0;
            while (home[length] != 0) length++;
            // What does not arrive is not found.
            Files.Write(pipe[1], home, length);
            Processes.Exit(0);
        }
        Files.Close(pipe[1]);
        // Without a child it stays "/": a container that may have no more processes, or where there may be no user namespace, is not to be
        // waited for on its terms.
        if (pid > 0)
        {
            long deadline = Processes.Milliseconds() + LookMilliseconds;
            Take(pipe[0], home, room, deadline);
            // ESRCH: it has ended.
            Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
            // Nothing to do about one that cannot be reaped: stuck, or traced by a process of the container.
            if (Await(pidfd, deadline)) Processes.Wait((int)pid, out _, Processes.WNOHANG);
            Files.Close(pidfd);
        }
        Files.Close(pipe[0]);
    }

    /// <summary>Takes the directory up to the end of the pipe; "/" when that does not come in time.</summary>
    private static void Take(int pipe, byte* home, int room, long deadline)
    {
        int length = 0;
        while (Await(pipe, deadline))
        {
            long n = Files.Read(pipe, home + length, room - 1 - length);
            if (n > 0) length += (int)n;
            if (n > 0 && length < room - 1) continue;
            if (n < 0 || length == 0) break;
            home[length] = 0;
            return;
        }
        Default(home);
    }

    /// <summary>Waits until there is something to read, or the end; false when the time is over.</summary>
    private static bool Await(int fd, long deadline)
    {
        PollFd poll = new() { Fd = fd, Events = Processes.POLLIN };
        long left = deadline - Processes.Milliseconds();
        return Processes.Poll(&poll, 1, left > 0 ? (int)left : 0) > 0;
    }

    /// <summary>Nothing to do about a range that cannot be closed: the process is a copy of one that has it open, too.</summary>
    public static void CloseAllBut(int one, int other)
    {
        uint low = (uint)(one < other ? one : other), high = (uint)(one < other ? other : one);
        // It fails for a range that is none only (close_range(2)).
        if (low > 0) Files.CloseRange(0, low - 1, 0);
        if (high - low > 1) Files.CloseRange(low + 1, high - 1, 0);
        Files.CloseRange(high + 1, uint.MaxValue, 0);
    }

    private static bool IsFile(int fd, out Statx stat) =>
        Files.Stat(fd, out stat) >= 0 && stat.Type == Files.S_IFREG && Files.StatFs(fd, out Statfs fs) >= 0 && !Files.IsKernelInterface(fs);

    private static void Scan(int fd, uint uid, byte* home, int room)
    {
        byte* block = stackalloc byte[Block];
        byte* candidate = stackalloc byte[Kernel.PathMax];
        int field = 0, length = 0;
        ulong number = 0;
        bool numeric = false;
        for (int total = 0; total < Limit;)
        {
            long n = Files.Read(fd, block, Block);
            if (n <= 0) n = 0;
            total += (int)n;
            for (int i = 0; i < n || (n == 0 && i == 0); i++)
            {
                // The end of the file ends its last line.
                byte c = n == 0 ? (byte)'\n' : block[i];
                if (c == '\n')
                {
                    if (field >= 5 && numeric && number == uid && length > 0 && length < room && length < Kernel.PathMax)
                    {
                        for (int k = 0; k < length; k++) home[k] = candidate[k];
                        home[length] = 0;
                        return;
                    }
                    field = length = 0;
                    number = 0;
                    numeric = false;
                }
                else if (c == ':')
                {
                    field++;
                }
                else if (field == 2)
                {
                    numeric = c is >= (byte)'0' and <= (byte)'9' && (numeric || number == 0) && number <= uint.MaxValue;
                    number = numeric ? number * 10 + (ulong)(c - '0') : ulong.MaxValue;
                }
                else if (field == 5)
                {
                    if (length < Kernel.PathMax) candidate[length] = c;
                    if (length < Kernel.PathMax) length++;
                }
            }
            if (n == 0) return;
        }
    }
}
