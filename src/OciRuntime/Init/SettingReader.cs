using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What is to be read, in unmanaged memory.</summary>
internal unsafe struct SettingPlan
{
    /// <summary>pidfd of the process whose namespaces are entered.</summary>
    public int Process;

    /// <summary>CLONE_NEW… flags of those that are not the reader's own.</summary>
    public ulong Namespaces;

    /// <summary>Absolute paths of files in procfs.</summary>
    public NativeArray<NativeText> Paths;

    /// <summary>
    /// Pipe that takes the answers: the result of entering, then for each value its length, or a negated errno, and the value.
    /// </summary>
    public int Answers;
}

/// <summary>
/// A process that enters a container's namespaces, its user namespace, too, which nobody comes back from, and reads what the kernel shows
/// only there. It is still in the host's pid and mount namespaces. Obeys the same rule as <see cref="InitMain"/>.
/// </summary>
internal static unsafe class SettingReader
{
    /// <summary>Bytes of a value; what is longer is cut off.</summary>
    private const int MaxValue = 4096;

    /// <summary>Does not return.</summary>
    public static void Run(SettingPlan* plan)
    {
        HomeDirectory.CloseAllBut(plan->Process, plan->Answers);
        long result = Guard();
        if (result >= 0 && plan->Namespaces != 0)
        {
            result = Processes.SetNamespace(plan->Process, plan->Namespaces);
            // Where the user namespace is not the caller's to own, the kernel takes both back (commit_creds).
            if (result >= 0) result = Guard();
        }
        byte* value = stackalloc byte[MaxValue];
        bool isHeard = Files.Write(plan->Answers, (byte*)&result, sizeof(long)) > 0;
        for (int i = 0; isHeard && result >= 0 && i < plan->Paths.Count; i++)
        {
            long length = Read(plan->Paths[i], value);
            isHeard = Files.Write(plan->Answers, (byte*)&length, sizeof(long)) > 0
                && (length <= 0 || Files.Write(plan->Answers, value, (int)length) > 0);
        }
        Processes.Exit(0);
    }

    /// <summary>Where the container shares the pid namespace it sees this process, and is not to reach it (CVE-2016-9962).</summary>
    private static long Guard()
    {
        long result = Processes.Prctl(Processes.PR_SET_DUMPABLE, 0);
        return result < 0 ? result : Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
    }

    private static long Read(byte* path, byte* value)
    {
        long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_RDONLY);
        if (fd < 0) return fd;
        long length = Files.Read((int)fd, value, MaxValue);
        Files.Close((int)fd);
        return length;
    }
}
