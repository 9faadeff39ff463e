using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What the child remembers between steps. It lives on the child's stack.</summary>
internal unsafe struct InitState
{
    public InitPlan* Plan;

    /// <summary>Index of the step that runs; reported with an error.</summary>
    public int StepIndex;

    /// <summary>Root of the container's tree: every look-up in the image starts here, never at a string (CVE-2024-45310 and its family).</summary>
    public int RootFd;

    /// <summary>The host's /proc, opened before any container mount exists, so that no image can stand in for it (CVE-2025-52881).</summary>
    public int ProcFd;

    /// <summary>The shared empty read-only tmpfs that hides directories, and the host's /dev/null that hides files.</summary>
    public int EmptyFd, NullFd;

    /// <summary>The slave of the container's terminal, or -1.</summary>
    public int TerminalFd;

    /// <summary>Where errors go: the parent, later whoever ran `start`.</summary>
    public int ReportFd;

    public bool InWorkingDirectory;
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
        RootFd = ProcFd = EmptyFd = NullFd = TerminalFd = -1;
        ReportFd = plan->SyncFd;
    }

    /// <summary>Keeps words for an error report, cut to what a message holds.</summary>
    public void SetText(byte* text)
    {
        HasOutput = false;
        for (TextLength = 0; TextLength < SyncMessage.TextSize && text[TextLength] != 0; TextLength++) Text[TextLength] = text[TextLength];
    }

    /// <summary>The host's /proc, or a negated errno.</summary>
    public long HostProc()
    {
        if (ProcFd >= 0) return ProcFd;
        fixed (byte* path = "/proc\0"u8)
        {
            long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH | Files.O_DIRECTORY);
            if (fd < 0) return fd;
            if (Files.StatFs((int)fd, out Statfs fs) < 0 || fs.Type != Files.PROC_SUPER_MAGIC)
            {
                Files.Close((int)fd);
                Detail = InitDetail.BadProcFile;
                return -Errno.EINVAL;
            }
            ProcFd = (int)fd;
            return fd;
        }
    }

    /// <summary>
    /// Closes the host's /proc and /dev/null. A working directory or program given as /proc/self/fd/N/… would otherwise pass through them to
    /// /proc/1/root, the host (CVE-2024-21626).
    /// </summary>
    public long CloseHost()
    {
        if (ProcFd >= 0) Files.Close(ProcFd);
        if (NullFd >= 0) Files.Close(NullFd);
        if (EmptyFd >= 0) Files.Close(EmptyFd);
        ProcFd = NullFd = EmptyFd = -1;
        return 0;
    }

    /// <summary>Writes a file below the host's /proc; nothing but procfs itself can be on the way.</summary>
    public long WriteProc(byte* path, byte* text, int length)
    {
        long proc = HostProc();
        if (proc < 0) return proc;
        // "self" is a magic-free symlink to a pid directory; sysctl names contain no symlinks at all.
        long fd = Files.OpenAt2((int)proc, path, Files.O_WRONLY, Files.RESOLVE_BENEATH | Files.RESOLVE_NO_XDEV | Files.RESOLVE_NO_MAGICLINKS);
        if (fd < 0) return fd;
        long n = Files.Write((int)fd, text, length);
        Files.Close((int)fd);
        return n < 0 ? n : n == length ? 0 : -Errno.EIO;
    }
}
