using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What the child remembers between steps. It lives on the child's stack.</summary>
internal unsafe struct InitState
{
    public InitPlan* Plan;

    /// <summary>Index of the step that runs; reported with an error.</summary>
    public int StepIndex;

    /// <summary>
    /// Root of the container's tree: every look-up in the image starts here, never at a string (CVE-2024-45310 and its family).
    /// </summary>
    public int RootFd;

    /// <summary>
    /// The host's /proc, opened before any container mount exists, so that no image can stand in for it (CVE-2025-52881).
    /// </summary>
    public int ProcFd;

    /// <summary>The shared empty read-only tmpfs that hides directories, and the host's /dev/null that hides files.</summary>
    public int EmptyFd, NullFd;

    /// <summary>A pid namespace to join, until it has been joined for good, or -1.</summary>
    public int PidNamespace;

    /// <summary>
    /// What is cloned from here on is born in somebody's pid namespace, <see cref="PidNamespace"/> or an exec's container.
    /// </summary>
    public bool ClonesIntoPidNamespace;

    /// <summary>The process of <see cref="OutsideHooks"/> and the connection to it, or -1.</summary>
    public int OutsidePid, OutsideFd;

    /// <summary>The container's /dev, while nodes and links are made there, or -1; and whether it is the host's.</summary>
    public int DevFd;
    public bool DevIsHosts;

    /// <summary>Device number of the host's /dev as far as it is known, see <see cref="HostFiles"/>; 0: not yet.</summary>
    public ulong HostDevices;

    /// <summary>The umask of whoever runs the runtime, for hooks: init's own is 0, and later the program's.</summary>
    public uint CallersUmask;

    /// <summary>The slave of the container's terminal, or -1.</summary>
    public int TerminalFd;

    /// <summary>Where errors go: the parent, later whoever ran `start`.</summary>
    public int ReportFd;

    /// <summary>The last destination of a mount that was looked up had to be made.</summary>
    public bool TargetWasMissing;

    /// <summary>How many of <see cref="InitPlan.ProtectiveMounts"/> there are.</summary>
    public int ProtectiveMounts;

    public bool InWorkingDirectory;

    /// <summary>The seccomp filter is loaded, and every descriptor from 3 on was made close-on-exec before it.</summary>
    public bool Filtered;

    /// <summary>What came of <see cref="StartSteps.EndSetUp"/>; told in a step of its own, as a filter may be loaded in between.</summary>
    public long SetUpResult;
    public bool SetUpEnded;

    /// <summary>The filter's listener, until the set-up is over, or -1.</summary>
    public int ListenerFd;

    /// <summary>The last step but execve has been announced, and descriptors and signals are as the program gets them.</summary>
    public bool Announced;
    public byte* Executable;
    public long AllocatedAtStart;

    /// <summary>What went wrong in detail: the part of the step, a number, words.</summary>
    public InitDetail Detail;
    public long Value;
    public int TextLength;
    public fixed byte Text[SyncMessage.TextSize];

    /// <summary>The words have already more than a path: output of a hook.</summary>
    public bool HasOutput;

    public InitState(InitPlan* plan)
    {
        Plan = plan;
        RootFd = ProcFd = EmptyFd = NullFd = DevFd = TerminalFd = PidNamespace = OutsideFd = ListenerFd = -1;
        ReportFd = plan is null ? -1 : plan->Fds.Sync;
    }

    /// <summary>Keeps words for an error report, cut to what a message holds.</summary>
    public void SetText(byte* text)
    {
        HasOutput = false;
        for (TextLength = 0; TextLength < SyncMessage.TextSize && text[TextLength] != 0; TextLength++) Text[TextLength] = text[TextLength];
    }

    /// <summary>Set by <see cref="LeaveHost"/>: why there is no /proc of the host's.</summary>
    private long _withoutProc;

    /// <summary>
    /// The last moment at which "/proc" is the host's: opens it, as sysctls are written after the switch, past the container's read-only
    /// /proc/sys. What is at /proc afterwards the image may have chosen. A host without one matters only to a step that needs it.
    /// </summary>
    public void LeaveHost()
    {
        // See above.
        _withoutProc = HostProc();
        Detail = InitDetail.None;
    }

    /// <summary>The host's /proc, or a negated errno.</summary>
    public long HostProc()
    {
        if (ProcFd >= 0) return ProcFd;
        if (_withoutProc < 0)
        {
            Detail = InitDetail.ProcMissing;
            return _withoutProc;
        }
        fixed (byte* path = "/proc\0"u8)
        {
            long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH | Files.O_DIRECTORY);
            if (fd < 0) return fd;
            // The root of a procfs has inode 1: a directory of one that is bound there would pass for the whole.
            bool genuine = Files.StatFs((int)fd, out Statfs fs) >= 0 && fs.Type == Files.PROC_SUPER_MAGIC
                && Files.Stat((int)fd, out Statx stat) >= 0 && stat.Inode == 1;
            if (!genuine)
            {
                Files.Close((int)fd);
                Detail = InitDetail.BadProcFile;
                return -Errno.EINVAL;
            }
            ProcFd = (int)fd;
            return fd;
        }
    }

    /// <summary>Opens for use what an O_PATH descriptor stands for, by its link in the host's own procfs.</summary>
    public long Reopen(int fd, int flags)
    {
        long proc = HostProc();
        if (proc < 0) return proc;
        byte* path = stackalloc byte[40];
        FdPath(path, fd);
        return Files.OpenAt((int)proc, path, flags);
    }

    /// <summary>Writes "self/fd/N" into a buffer of 40 bytes.</summary>
    public static void FdPath(byte* path, int fd)
    {
        fixed (byte* prefix = "self/fd/\0"u8)
        {
            int used = InitText.Append(path, 0, 40, prefix);
            InitText.Number(path + used, fd);
        }
    }

    /// <summary>
    /// Closes the host's /proc and /dev/null, and the container's /dev. A working directory or program given as /proc/self/fd/N/… would
    /// otherwise pass through them to /proc/1/root, the host (CVE-2024-21626).
    /// </summary>
    public long CloseHost()
    {
        if (ProcFd >= 0) Files.Close(ProcFd);
        if (NullFd >= 0) Files.Close(NullFd);
        if (EmptyFd >= 0) Files.Close(EmptyFd);
        if (DevFd >= 0) Files.Close(DevFd);
        ProcFd = NullFd = EmptyFd = DevFd = -1;
        return 0;
    }

    /// <summary>Writes a text to a file below the host's /proc.</summary>
    public long WriteProc(byte* path, byte* text) => WriteProc(path, text, CString.Length(text));

    /// <summary>
    /// Writes a file below the host's /proc. Where the runtime is in a container itself, /proc/sys may be read-only there; a procfs of
    /// one's own, if the kernel grants it, shows the same settings.
    /// </summary>
    public long WriteProc(byte* path, byte* text, int length)
    {
        long proc = HostProc();
        if (proc < 0) return proc;
        long result = WriteBelow((int)proc, path, text, length);
        if (result != -Errno.EROFS) return result;
        long own = OwnProc();
        if (own < 0) return result;
        result = WriteBelow((int)own, path, text, length);
        Files.Close((int)own);
        return result;
    }

    /// <summary>
    /// Nothing but procfs itself can be on the way: "self" is a magic-free symlink to a pid directory; sysctl names contain no symlinks at
    /// all.
    /// </summary>
    private static long WriteBelow(int proc, byte* path, byte* text, int length)
    {
        long fd = Files.OpenAt2(proc, path, Files.O_WRONLY, Files.RESOLVE_BENEATH | Files.RESOLVE_NO_XDEV | Files.RESOLVE_NO_MAGICLINKS);
        if (fd < 0) return fd;
        long n = Files.Write((int)fd, text, length);
        Files.Close((int)fd);
        return n < 0 ? n : n == length ? 0 : -Errno.EIO;
    }

    /// <summary>A procfs that is mounted nowhere.</summary>
    private long OwnProc()
    {
        long context = ProcContext.Open(ref this);
        if (context < 0) return context;
        long result = Mounts.FsConfig((int)context, Mounts.FSCONFIG_CMD_CREATE, null, null);
        if (result >= 0) result = Mounts.FsMount((int)context, 0);
        if (result >= 0) result = ProcContext.Check((int)result);
        Files.Close((int)context);
        return result;
    }
}
