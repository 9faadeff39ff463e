using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What the process becomes: session, keyring, limits, ids, capabilities, directory, program.</summary>
internal static unsafe class ProcessSteps
{
    private const int HookTextSize = 24;

    public static long OomScore(ref InitState s, InitStep* step)
    {
        byte* text = stackalloc byte[HookTextSize];
        int length = InitText.Number(text, step->A);
        fixed (byte* path = "self/oom_score_adj\0"u8) return s.WriteProc(path, text, length);
    }

    /// <summary>
    /// Writes "0" to the hierarchy's <c>tasks</c>: for its own single thread the kernel skips the global thread-group lock, whose grace period
    /// costs 6–17 ms when another process is moved through cgroup.procs.
    /// </summary>
    public static long EnterCgroup(ref InitState s, InitStep* step)
    {
        byte zero = (byte)'0';
        int fd = s.Plan->Fds[step->A];
        // A cgroup that an ordinary user could not make and did not ask for.
        if (fd < 0) return 0;
        long n = Files.Write(fd, &zero, 1);
        Files.Close(fd);
        return n < 0 ? n : 0;
    }

    /// <summary>A session keyring of its own, so that the caller's keys are not inherited; exec joins it by name.</summary>
    public static long SessionKeyring(InitStep* step)
    {
        long key = Credentials.JoinSessionKeyring(step->Text1);
        if (key == -Errno.ENOSYS) return 0;
        if (key < 0 || step->A == 0) return key;
        byte* description = stackalloc byte[512];
        long length = Credentials.DescribeKey((int)key, description, 511);
        if (length < 0) return length;
        // "type;uid;gid;permissions;description", permissions in hexadecimal (keyctl(2) KEYCTL_DESCRIBE).
        int at = 0;
        for (int fields = 0; fields < 3 && at < length && at < 511; at++) if (description[at] == ';') fields++;
        uint permissions = 0;
        for (; at < length && at < 511 && description[at] != ';'; at++)
        {
            byte c = description[at];
            permissions = (permissions << 4) | (uint)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
        }
        return Credentials.SetKeyPermissions((int)key, permissions | (uint)step->A);
    }

    public static long BoundingSet(InitStep* step)
    {
        for (int capability = 0; capability <= step->B; capability++)
        {
            if (((ulong)step->A >> capability & 1) != 0) continue;
            long result = Processes.Prctl(Processes.PR_CAPBSET_DROP, capability);
            if (result < 0) return result;
        }
        return 0;
    }

    /// <summary>Groups, gid, uid, in this order: the uid takes the privilege for the others away. Permitted capabilities survive for the next step.</summary>
    public static long SetUser(ref InitState s, InitStep* step)
    {
        uint uid = (uint)step->A, gid = (uint)step->B;
        GiveStdio(ref s, uid);
        s.Detail = InitDetail.KeepCaps;
        long result = Processes.Prctl(Processes.PR_SET_KEEPCAPS, 1);
        if (result >= 0) result = SetIds(ref s, step, uid, gid);
        if (result >= 0) result = Processes.Prctl(Processes.PR_SET_KEEPCAPS, 0);
        // The kernel takes both back when ids change (commit_creds): the death signal, and undumpable where fs.suid_dumpable is not 0.
        if (result >= 0) result = Processes.Prctl(Processes.PR_SET_DUMPABLE, 0);
        return result < 0 ? result : InitMain.TieToParent(ref s);
    }

    /// <summary>Supplementary groups, unless they are kept, then gid, then uid.</summary>
    public static long SetIds(ref InitState s, InitStep* step, uint uid, uint gid)
    {
        s.Detail = InitDetail.Groups;
        long result = (step->Flags & InitFlags.KeepGroups) != 0 ? 0 : Credentials.SetSupplementaryGroups((uint*)step->Data, step->Count);
        if (result == -Errno.EPERM && step->Count == 0 && (step->Flags & InitFlags.GroupsMayBeDenied) != 0) result = 0;
        if (result < 0) return result;
        s.Detail = InitDetail.Gid;
        result = Credentials.SetGroups(gid);
        if (result < 0) return result;
        s.Detail = InitDetail.Uid;
        return Credentials.SetUsers(uid);
    }

    /// <summary>
    /// Pipes and sockets of stdio, and the container's own terminal, go to its user, who otherwise cannot reopen /dev/stdout. Files and
    /// devices of the caller keep their owner (CVE-2026-88265).
    /// </summary>
    private static void GiveStdio(ref InitState s, uint uid)
    {
        for (int fd = 0; fd <= 2; fd++)
        {
            if (Files.Stat(fd, out Statx stat) < 0 || stat.Uid == uid) continue;
            bool own = s.TerminalFd >= 0 && stat.Type == Files.S_IFCHR;
            // A refusal (EPERM, EROFS) leaves a working descriptor: nothing is lost but reopening.
            if (own || stat.Type is Files.S_IFIFO or Files.S_IFSOCK) Files.Chown(fd, uid, uint.MaxValue);
        }
    }

    /// <summary>
    /// Enters the working directory; before the user switch, and again after it when only the user may enter. The kernel's own path of the
    /// result must begin with "/": a descriptor of the host's tree as working directory shows as "(unreachable)" (CVE-2024-21626).
    /// </summary>
    public static long ChangeDirectory(ref InitState s, InitStep* step)
    {
        if (s.InWorkingDirectory) return 0;
        long result = Files.ChangeDirectory(step->Text1);
        if (result == -Errno.EACCES && (step->Flags & InitFlags.Retry) != 0) return 0;
        if (result < 0) return result;
        s.InWorkingDirectory = true;
        byte* path = stackalloc byte[Kernel.PathMax];
        long length = Files.WorkingDirectory(path, Kernel.PathMax);
        if (length < 0) return length;
        s.Detail = InitDetail.OutsideRoot;
        return path[0] == '/' ? 0 : -Errno.ENOENT;
    }

    public static long ListenPid(InitStep* step)
    {
        InitText.Number((byte*)step->Data, Processes.Pid());
        return 0;
    }

    public static long Capabilities(ref InitState s, InitStep* step)
    {
        long result = Credentials.SetCapabilities((ulong)step->A, (ulong)step->B, (ulong)step->C);
        if (result < 0) return result;
        s.Detail = InitDetail.Ambient;
        result = Processes.Prctl(Processes.PR_CAP_AMBIENT, Processes.PR_CAP_AMBIENT_CLEAR_ALL);
        ulong ambient = *(ulong*)step->Data;
        for (int capability = 0; result >= 0 && capability < 64; capability++)
        {
            if ((ambient >> capability & 1) != 0) result = Processes.Prctl(Processes.PR_CAP_AMBIENT, Processes.PR_CAP_AMBIENT_RAISE, capability);
        }
        return result;
    }

    /// <summary>
    /// The program, looked up with the ids and capabilities it will run with, so that `create` fails on a bad command. As in a shell, a
    /// candidate that exists but may not be run is remembered while the search goes on.
    /// </summary>
    public static long FindExecutable(ref InitState s, InitStep* step)
    {
        byte** candidates = (byte**)step->Data;
        long failure = -Errno.ENOENT;
        for (int i = 0; i < step->Count; i++)
        {
            long result = Files.StatAt(Files.AT_FDCWD, candidates[i], 0, out Statx stat);
            if (result >= 0 && stat.IsDirectory) result = -Errno.EISDIR;
            else if (result >= 0) result = Files.AccessAsEffective(candidates[i], Files.X_OK);
            if (result >= 0)
            {
                s.Executable = candidates[i];
                return 0;
            }
            // A kernel without faccessat2, or a profile that hides it, is not a program that is missing.
            if (step->Count == 1 || result is -Errno.EACCES or -Errno.EPERM or -Errno.ENOSYS) failure = result;
        }
        return failure;
    }
}
