using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>
/// What an update does not name and yet needs, as it is in the kernel now: quota and period are one file on v2, and one limit to systemd,
/// and a limit on swap is made from two numbers. The kernel, not the journal, is asked, because a limit may have been changed there by
/// others.
/// </summary>
internal static class CurrentLimits
{
    /// <summary>Completes <paramref name="resources"/>; zeros, which clients write for "unset", are taken for that.</summary>
    public static void Complete(CgroupHost host, IReadOnlyList<string> paths, LinuxResources resources)
    {
        if (resources.Cpu is { } cpu)
        {
            CompleteQuota(host, paths, cpu);
            // One that is not idle has a weight, which systemd would be told to forget.
            if (cpu.Idle == 0 && Read(paths, ControlFile.CpuIdle) == "0") cpu.Idle = null;
        }
        if (resources.Memory is { } memory) CompleteMemory(host, paths, memory);
    }

    private static void CompleteQuota(CgroupHost host, IReadOnlyList<string> paths, CpuResources cpu)
    {
        bool quota = Resources.IsSet(cpu.Quota), period = cpu.Period is > 0;
        if (quota == period) return;
        string[] present = host.Mode == CgroupMode.V2 ? Read(paths, ControlFile.CpuMax).Split(' ')
            : [Read(paths, ControlFile.CfsQuota), Read(paths, ControlFile.CfsPeriod)];
        if (present.Length != 2) return;
        if (!quota) cpu.Quota = long.TryParse(present[0], out long old) ? old : -1;
        else if (ulong.TryParse(present[1], out ulong oldPeriod)) cpu.Period = oldPeriod;
    }

    /// <summary>memory.swap is the sum with memory: without one of them, the other decides.</summary>
    private static void CompleteMemory(CgroupHost host, IReadOnlyList<string> paths, MemoryResources memory)
    {
        bool limit = Resources.IsSet(memory.Limit), swap = Resources.IsSet(memory.Swap);
        bool unified = host.Mode == CgroupMode.V2;
        if (swap && !limit) memory.Limit = Limit(Read(paths, unified ? ControlFile.MemoryMax : ControlFile.MemoryLimit));
        // The files of v1 hold sums; in v2 the sum is to stay what it was, as far as there is one.
        if (unified && memory.Limit > 0 && !swap && Limit(Read(paths, ControlFile.MemoryMax)) is { } old
            && Limit(Read(paths, ControlFile.SwapMax)) is { } oldSwap)
        {
            memory.Swap = old + oldSwap;
        }
    }

    // v1 writes "no limit" as the largest number of whole pages.
    private static long? Limit(string text) => long.TryParse(text, out long value) && value < long.MaxValue - (1 << 20) ? value : null;

    private static string Read(IReadOnlyList<string> paths, string file)
    {
        foreach (string path in paths)
        {
            using Fd cgroup = Fd.Of(CgroupFiles.OpenPath(path, Files.O_RDONLY, out _), $"open cgroup {path}");
            if (CgroupFiles.ReadIfThere(cgroup.Number, file) is { } text) return text;
        }
        return "";
    }
}
