using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>When and where the process runs.</summary>
internal static unsafe class SchedulingSteps
{
    /// <summary>
    /// The caller's CPUs are not the container's: a shim that is pinned would otherwise pin all it starts. Refused only by a filter around
    /// the runtime, and then the container has fewer CPUs, but nothing it must not have; runc goes on, too.
    /// </summary>
    public static long ResetAffinity()
    {
        // See above.
        Scheduling.ResetAffinity();
        return 0;
    }

    /// <summary>What config.json asks for: a CPU that is not there is an error.</summary>
    public static long Affinity(InitStep* step) => Scheduling.SetAffinity((ulong*)step->Data, step->Count);

    public static long MemoryPolicy(InitStep* step) => Scheduling.SetMemoryPolicy((int)step->A, (ulong*)step->Data, step->Count);
}
