using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>How a process ended.</summary>
public readonly record struct ExitStatus(int Code, int Signal)
{
    /// <summary>The shell's view: the exit code, or 128 + the signal.</summary>
    public int ShellCode => Signal == 0 ? Code : 128 + Signal;

    internal static ExitStatus FromWait(int status) => new((status >> 8) & 0xff, status & 0x7f);
}

/// <summary>
/// The test process as parent. It is a child subreaper, so that a container's init comes to it when the runtime exits:
/// that way tests learn its exit status, and no process can be lost.
/// </summary>
public static class Children
{
    private static readonly Lock Gate = new();

    // With their start times: pids come round again within one run of the suite, and a stale entry would keep an adopted zombie for ever.
    private static readonly Dictionary<int, ulong> Owned = [];
    private static readonly Dictionary<int, ExitStatus> Adopted = [];

    static Children()
    {
        Libc.Check(Libc.prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "PR_SET_CHILD_SUBREAPER");
        new Thread(ReapAdopted) { IsBackground = true, Name = "reaper of adopted processes" }.Start();
    }

    /// <summary>Makes this process a subreaper if it is not one yet.</summary>
    public static void Adopt() => System.Runtime.CompilerServices.RuntimeHelpers.RunClassConstructor(typeof(Children).TypeHandle);

    /// <summary>Spawns under the lock: the reaper must not meet a child before it knows to leave it to its owner.</summary>
    internal static int Spawn(Func<int> spawn)
    {
        lock (Gate)
        {
            int pid = spawn();
            Owned[pid] = ProcessTree.StartTime(pid);
            Adopted.Remove(pid);
            return pid;
        }
    }

    /// <summary>
    /// Starts one that the framework's class waits for. On a busy machine that is slower than the reaper, and what somebody else has reaped
    /// <see cref="System.Diagnostics.Process.WaitForExit()"/> waits for until the end of days.
    /// </summary>
    public static System.Diagnostics.Process Start(System.Diagnostics.ProcessStartInfo info)
    {
        System.Diagnostics.Process process = null!;
        Spawn(() => (process = System.Diagnostics.Process.Start(info)!).Id);
        return process;
    }

    /// <summary>Waits for a child, own or adopted. Null when it did not end in time; throws when it was never ours.</summary>
    public static ExitStatus? Wait(int pid, TimeSpan timeout)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        do
        {
            int pidfd = Libc.PidfdOpen(pid);
            if (pidfd >= 0)
            {
                Libc.WaitReadable(pidfd, TimeSpan.FromMilliseconds(Math.Max(0, end - Environment.TickCount64)));
                _ = Syscall.close(pidfd);
            }
            if (TryReap(pid, out bool isChild) is { } status) return status;
            if (pidfd < 0 && !isChild)
                throw new InvalidOperationException($"process {pid} is not a child of the tests and no longer exists");
            // Either the time is over, or it ended below another parent and is about to be handed over or reaped there.
            Thread.Sleep(isChild ? 0 : 2);
        }
        while (Environment.TickCount64 < end);
        return null;
    }

    private static ExitStatus? TryReap(int pid, out bool isChild)
    {
        lock (Gate)
        {
            // The kernel is asked first: what is remembered may be about an earlier process with the same pid.
            int result = Syscall.waitpid(pid, out int status, WaitOptions.WNOHANG);
            isChild = result >= 0;
            if (result == pid)
            {
                Owned.Remove(pid);
                return Adopted[pid] = ExitStatus.FromWait(status);
            }
            if (isChild || !Adopted.TryGetValue(pid, out ExitStatus known)) return null;
            isChild = true;
            return known;
        }
    }

    /// <summary>
    /// Reaps what is nobody's here. Only when it is seen twice: a zombie that has just been handed over may be one that a test is about to
    /// ask for.
    /// </summary>
    private static void ReapAdopted()
    {
        HashSet<int> seen = [];
        while (true)
        {
            Thread.Sleep(50);
            HashSet<int> zombies = [];
            foreach (int pid in ProcessTree.ChildrenOf(Environment.ProcessId))
            {
                if (ProcessTree.IsZombie(pid)) zombies.Add(pid);
            }
            foreach (int pid in zombies)
            {
                if (seen.Contains(pid) && !IsOwned(pid)) TryReap(pid, out _);
            }
            seen = zombies;
        }
    }

    private static bool IsOwned(int pid)
    {
        lock (Gate)
        {
            return Owned.TryGetValue(pid, out ulong start) && start == ProcessTree.StartTime(pid);
        }
    }
}
