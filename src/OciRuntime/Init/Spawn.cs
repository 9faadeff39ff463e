using System.Runtime.InteropServices;
using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A helper program of the parent (a hook, newuidmap), in unmanaged memory.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SpawnPlan
{
    public byte* Path;
    public byte** Arguments, Environment;

    /// <summary>Descriptors that become stdin, stdout and stderr.</summary>
    public int Input, Output, ErrorOutput;

    /// <summary>Directory to start in, or null.</summary>
    public byte* Directory;

    /// <summary>Close-on-exec pipe that takes the errno when the program cannot be run.</summary>
    public int Report;
}

/// <summary>The child side of starting a helper program; obeys the same rule as <see cref="InitMain"/>.</summary>
internal static unsafe class Spawn
{
    /// <summary>Does not return.</summary>
    public static void Run(SpawnPlan* plan)
    {
        // A hook must not outlive a runtime that is killed while it waits for it.
        long result = Processes.Prctl(Processes.PR_SET_PDEATHSIG, Processes.SIGKILL);
        if (result >= 0) result = Files.Duplicate(plan->Input, 0);
        if (result >= 0) result = Files.Duplicate(plan->Output, 1);
        if (result >= 0) result = Files.Duplicate(plan->ErrorOutput, 2);
        if (result >= 0 && plan->Directory != null) result = Files.ChangeDirectory(plan->Directory);
        // A session of its own: a time-out ends the whole group, and the caller's terminal is not the hook's.
        if (result >= 0) result = Processes.SetSession();
        if (result >= 0) result = Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC);
        InitMain.DefaultSignals();
        if (result >= 0) result = Processes.Execute(plan->Path, plan->Arguments, plan->Environment);
        int errno = (int)-result;
        Files.Write(plan->Report, (byte*)&errno, sizeof(int));
        Processes.Exit(127);
    }
}
