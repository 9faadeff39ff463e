using System.Runtime.InteropServices;
using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A helper program of the parent (a hook, newuidmap), in unmanaged memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SpawnPlan
{
    public byte* Path;
    public byte** Arguments, Environment;

    /// <summary>Descriptors that become stdin, stdout and stderr, unless it is <see cref="Attached"/>.</summary>
    public int Input, Output, ErrorOutput;

    /// <summary>Directory to start in, or null.</summary>
    public byte* Directory;

    /// <summary>Close-on-exec pipe that takes the errno when the program cannot be run.</summary>
    public int Report;

    /// <summary>It has the caller's stdio, and stays in his session.</summary>
    public bool Attached;

    /// <summary>It goes on when the runtime is killed.</summary>
    public bool Survives;

    /// <summary>Descriptors that become 3, 4, …; their own numbers are above those.</summary>
    public NativeArray<int> Channels;

    /// <summary>
    /// Detached mounts for <see cref="TreeTargets"/> in the mount namespace that the program is given of its own when there are any.
    /// </summary>
    public NativeArray<int> Trees;
    public byte** TreeTargets;
}

/// <summary>The child side of starting a helper program; obeys the same rule as <see cref="InitMain"/>.</summary>
internal static unsafe class Spawn
{
    /// <summary>Does not return.</summary>
    public static void Run(SpawnPlan* plan)
    {
        // A hook must not outlive a runtime that is killed while it waits for it.
        long result = plan->Survives ? 0 : Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        if (result >= 0 && !plan->Attached) result = Redirect(plan);
        if (result >= 0 && plan->Directory is not null) result = Files.ChangeDirectory(plan->Directory);
        // A session of its own: a time-out ends the whole group, and the caller's terminal is not the hook's.
        if (result >= 0 && !plan->Attached) result = Processes.SetSession();
        if (result >= 0 && plan->Trees.Count > 0) result = Attach(plan);
        if (result >= 0) result = Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
        for (int i = 0; result >= 0 && i < plan->Channels.Count; i++) result = Files.Duplicate(plan->Channels[i], 3 + i);
        InitMain.DefaultSignals();
        if (result >= 0) result = Processes.RestoreFileLimit();
        if (result >= 0) result = Processes.Execute(plan->Path, plan->Arguments, plan->Environment);
        int errno = (int)-result;
        // The exit status says it, too, only not why.
        Files.Write(plan->Report, (byte*)&errno, sizeof(int));
        Processes.Exit(127);
    }

    private static long Redirect(SpawnPlan* plan)
    {
        long result = Files.Duplicate(plan->Input, 0);
        if (result >= 0) result = Files.Duplicate(plan->Output, 1);
        return result < 0 ? result : Files.Duplicate(plan->ErrorOutput, 2);
    }

    /// <summary>Nothing that is mounted here from now on reaches the host, whose own changes still come.</summary>
    private static long Attach(SpawnPlan* plan)
    {
        long result;
        fixed (byte* root = "/\0"u8) result = Mounts.SetPropagation(root, Mounts.MS_SLAVE | Mounts.MS_REC);
        for (int i = 0; result >= 0 && i < plan->Trees.Count; i++)
        {
            result = Files.OpenAt(Files.AT_FDCWD, plan->TreeTargets[i], Files.O_PATH);
            if (result >= 0) result = Mounts.Move(plan->Trees[i], (int)result);
        }
        return result;
    }
}
