using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Children of this thread are born on these CPUs until the scope ends: execCPUAffinity.initial is about the time before the process is in
/// the container's cgroup, and on cgroup v2 it is born there.
/// </summary>
internal sealed class AffinityScope : IDisposable
{
    private readonly ulong[]? _before;

    public AffinityScope(string? cpus)
    {
        if (string.IsNullOrEmpty(cpus) || !CpuList.TryParse(cpus, CpuList.MaxCpus, out ulong[] mask)) return;
        _before = new ulong[CpuList.MaxCpus / 64];
        OciException.Check(Scheduling.GetAffinity(_before), "sched_getaffinity");
        OciException.Check(Scheduling.SetAffinity(mask), $"/process/execCPUAffinity/initial: run on the CPUs {cpus}");
    }

    public void Dispose()
    {
        if (_before is null) return;
        // What it had before is not refused; else the runtime has fewer CPUs for what is left to do.
        Scheduling.SetAffinity(_before);
    }
}
