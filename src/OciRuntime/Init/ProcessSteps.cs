using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct OomScoreAdjustArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.OomScoreAdjust;
    public int Score;
}

internal struct EnterCgroupArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.EnterCgroup;

    /// <summary>The hierarchy's <c>tasks</c> file; -1 where it is out of reach and was not asked for.</summary>
    public int Tasks;
}

internal struct SessionKeyringArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.SessionKeyring;
    public NativeText Name;

    /// <summary>Permission bits to add; 0: it is as it should be.</summary>
    public uint Permissions;
}

internal struct ResourceLimitArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ResourceLimit;
    public int Resource;
    public ResourceLimit Limit;
}

internal struct BoundingSetArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.BoundingSet;

    /// <summary>Those that stay.</summary>
    public ulong Capabilities;

    /// <summary>The highest that the kernel has.</summary>
    public int Last;
}

/// <summary>What becomes of the supplementary groups, and what is known about setgroups(2).</summary>
internal enum GroupPolicy
{
    Set,

    /// <summary>setgroups(2) is left out: it is denied in this user namespace, or the caller's groups are to be kept.</summary>
    Keep,

    /// <summary>
    /// A joined user namespace may deny it, and where no groups are asked for that is no failure: nobody there can change them.
    /// </summary>
    MayBeDenied,
}

internal struct SetUserArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.SetUser;
    public uint Uid, Gid;
    public NativeArray<uint> Groups;
    public GroupPolicy Policy;
}

internal struct ChangeDirectoryArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ChangeDirectory;
    public NativeText Path;

    /// <summary>A refusal is no failure yet: a later step tries again, as another user.</summary>
    public bool IsFirstTry;
}

internal struct ListenPidArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.ListenPid;

    /// <summary>Room for the digits.</summary>
    public NativeArray<byte> Digits;
}

internal struct CapabilitiesArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Capabilities;
    public ulong Effective, Permitted, Inheritable, Ambient;
}

internal struct UmaskArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.Umask;
    public uint Mask;
}

internal struct FindExecutableArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.FindExecutable;
    public NativeArray<NativeText> Candidates;
}

/// <summary>What the process becomes: session, keyring, limits, ids, capabilities, directory, program.</summary>
internal static unsafe class ProcessSteps
{
    private const int HookTextSize = 24;

    public static long OomScore(ref InitState s, OomScoreAdjustArguments* adjust)
    {
        byte* text = stackalloc byte[HookTextSize];
        int length = InitText.Number(text, adjust->Score);
        fixed (byte* path = "self/oom_score_adj\0"u8) return s.WriteProc(path, text, length);
    }

    /// <summary>
    /// Writes "0" to the hierarchy's <c>tasks</c>: for its own single thread the kernel skips the global thread-group lock, whose grace
    /// period costs 6–17 ms when another process is moved through cgroup.procs.
    /// </summary>
    public static long EnterCgroup(EnterCgroupArguments* cgroup)
    {
        byte zero = (byte)'0';
        // A cgroup that an ordinary user could not make and did not ask for.
        if (cgroup->Tasks < 0) return 0;
        long n = Files.Write(cgroup->Tasks, &zero, 1);
        Files.Close(cgroup->Tasks);
        return n < 0 ? n : 0;
    }

    /// <summary>A session keyring of its own, so that the caller's keys are not inherited; exec joins it by name.</summary>
    public static long SessionKeyring(SessionKeyringArguments* keyring)
    {
        long key = Credentials.JoinSessionKeyring(keyring->Name);
        if (key == -Errno.ENOSYS) return 0;
        if (key < 0 || keyring->Permissions == 0) return key;
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
        return Credentials.SetKeyPermissions((int)key, permissions | keyring->Permissions);
    }

    public static long Limit(ResourceLimitArguments* limit) => Processes.SetLimit(0, limit->Resource, limit->Limit);

    public static long BoundingSet(BoundingSetArguments* set)
    {
        for (int capability = 0; capability <= set->Last; capability++)
        {
            if ((set->Capabilities >> capability & 1) != 0) continue;
            long result = Processes.Prctl(Processes.PR_CAPBSET_DROP, capability);
            if (result < 0) return result;
        }
        return 0;
    }

    /// <summary>
    /// Groups, gid, uid, in this order: the uid takes the privilege for the others away. Permitted capabilities survive for the next step.
    /// </summary>
    public static long SetUser(ref InitState s, SetUserArguments* user)
    {
        GiveStdio(ref s, user->Uid);
        s.Detail = InitDetail.KeepCaps;
        long result = Processes.Prctl(Processes.PR_SET_KEEPCAPS, 1);
        if (result >= 0) result = SetIds(ref s, user->Groups, user->Policy, user->Uid, user->Gid);
        if (result >= 0) result = Processes.Prctl(Processes.PR_SET_KEEPCAPS, 0);
        // The kernel takes both back when ids change (commit_creds): the death signal, and undumpable where fs.suid_dumpable is not 0.
        if (result >= 0) result = Processes.Prctl(Processes.PR_SET_DUMPABLE, 0);
        return result < 0 ? result : InitMain.TieToParent(ref s);
    }

    /// <summary>Supplementary groups, unless they are kept, then gid, then uid.</summary>
    public static long SetIds(ref InitState s, NativeArray<uint> groups, GroupPolicy policy, uint uid, uint gid)
    {
        s.Detail = InitDetail.Groups;
        long result = policy == GroupPolicy.Keep ? 0 : Credentials.SetSupplementaryGroups(groups.Items, groups.Count);
        if (result == -Errno.EPERM && groups.Count == 0 && policy == GroupPolicy.MayBeDenied) result = 0;
        if (result < 0) return result;
        s.Detail = InitDetail.Gid;
        result = Credentials.SetGids(gid);
        if (result < 0) return result;
        s.Detail = InitDetail.Uid;
        return Credentials.SetUids(uid);
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
    public static long ChangeDirectory(ref InitState s, ChangeDirectoryArguments* directory)
    {
        if (s.InWorkingDirectory) return 0;
        long result = Files.ChangeDirectory(directory->Path);
        if (result == -Errno.EACCES && directory->IsFirstTry) return 0;
        if (result < 0) return result;
        s.InWorkingDirectory = true;
        byte* path = stackalloc byte[Kernel.PathMax];
        long length = Files.WorkingDirectory(path, Kernel.PathMax);
        if (length < 0) return length;
        s.Detail = InitDetail.OutsideRoot;
        return path[0] == '/' ? 0 : -Errno.ENOENT;
    }

    public static long ListenPid(ListenPidArguments* variable)
    {
        InitText.Number(variable->Digits.Items, Processes.Pid());
        return 0;
    }

    public static long Capabilities(ref InitState s, CapabilitiesArguments* sets)
    {
        long result = Credentials.SetCapabilities(sets->Effective, sets->Permitted, sets->Inheritable);
        if (result < 0) return result;
        s.Detail = InitDetail.Ambient;
        result = Processes.Prctl(Processes.PR_CAP_AMBIENT, Processes.PR_CAP_AMBIENT_CLEAR_ALL);
        for (int capability = 0; result >= 0 && capability < 64; capability++)
        {
            if ((sets->Ambient >> capability & 1) != 0)
                result = Processes.Prctl(Processes.PR_CAP_AMBIENT, Processes.PR_CAP_AMBIENT_RAISE, capability);
        }
        return result;
    }

    /// <summary>
    /// The program, looked up with the ids and capabilities it will run with, so that `create` fails on a bad command. As in a shell, a
    /// candidate that exists but may not be run is remembered while the search goes on.
    /// </summary>
    public static long FindExecutable(ref InitState s, FindExecutableArguments* program)
    {
        long failure = -Errno.ENOENT;
        for (int i = 0; i < program->Candidates.Count; i++)
        {
            byte* candidate = program->Candidates[i];
            long result = Files.StatAt(Files.AT_FDCWD, candidate, 0, out Statx stat);
            if (result >= 0 && stat.IsDirectory) result = -Errno.EISDIR;
            else if (result >= 0) result = Files.AccessAsEffective(candidate, Files.X_OK);
            if (result >= 0)
            {
                s.Executable = candidate;
                return 0;
            }
            // A kernel without faccessat2, or a profile that hides it, is not a program that is missing.
            if (program->Candidates.Count == 1 || result is -Errno.EACCES or -Errno.EPERM or -Errno.ENOSYS) failure = result;
        }
        return failure;
    }
}
