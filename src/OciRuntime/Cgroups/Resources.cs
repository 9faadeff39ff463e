using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>
/// linux.resources as writes to control files, one for each value that is set. What contradicts itself <see cref="SpecValidator"/> has
/// refused, whichever way it came in; what is refused here depends on the host.
/// </summary>
internal static class Resources
{
    public static void Add(CgroupPlanBuilder plan, LinuxResources resources)
    {
        if (plan.IsUnified) ResourcesV2.Add(plan, resources);
        else ResourcesV1.Add(plan, resources);
    }

    /// <summary>Whether a number is set: 0 is how engines write that it is not.</summary>
    public static bool IsSet(long? value) => value is not null and not 0;

    /// <summary>pids.limit, whose 0 is a limit by now: that is 1, which is the same to a process in it, and admits the first one.</summary>
    public static void AddPids(CgroupPlanBuilder plan, PidsResources? pids)
    {
        if (pids?.Limit is { } limit)
            plan.Write(ControlFile.PidsMax, new Amount(limit < 0 ? null : Math.Max(1, (ulong)limit)), "pids/limit");
    }

    /// <summary>
    /// cpu.shares and cpu.idle. An idle cgroup takes no weight, and one that becomes idle forgets it (kernel/sched/fair.c,
    /// sched_group_set_idle()): so there is one to write only for those that are not, after they stopped being idle.
    /// </summary>
    public static void AddWeight(CgroupPlanBuilder plan, CpuResources cpu, string file, ulong weight)
    {
        const string Idle = "cpu/idle";
        if (cpu.Idle == 0) plan.Write(ControlFile.CpuIdle, new Amount(0), Idle, CgroupTolerance.Missing);
        if (cpu.Idle is null or 0 && weight > 0) plan.Write(file, new Amount(weight), "cpu/shares");
        if (cpu.Idle is > 0) plan.Write(ControlFile.CpuIdle, new Amount((ulong)cpu.Idle), Idle);
    }

    /// <summary>cpu.burst; where it is 0, it is so on a kernel that does not have the file, too.</summary>
    public static void AddBurst(CgroupPlanBuilder plan, CpuResources cpu, string file)
    {
        if (cpu.Burst is { } burst)
            plan.Write(file, new Amount(burst), "cpu/burst", burst == 0 ? CgroupTolerance.Missing : CgroupTolerance.None);
    }

    public static void AddCpusets(CgroupPlanBuilder plan, CpuResources cpu)
    {
        if (!string.IsNullOrEmpty(cpu.Cpus)) plan.Write(ControlFile.CpusetCpus, new Line(cpu.Cpus), "cpu/cpus");
        if (!string.IsNullOrEmpty(cpu.Mems)) plan.Write(ControlFile.CpusetMems, new Line(cpu.Mems), "cpu/mems");
    }

    /// <summary>Huge pages, and where the kernel counts them (Linux 5.7) reservations of them.</summary>
    public static void AddHugePages(CgroupPlanBuilder plan, HugepageLimit[] limits, string file)
    {
        for (int i = 0; i < limits.Length; i++)
        {
            string property = $"hugepageLimits/{i}", size = limits[i].PageSize;
            Amount limit = new(limits[i].Limit);
            plan.Write($"hugetlb.{size}.{file}", limit, property);
            plan.Write($"hugetlb.{size}.rsvd.{file}", limit, property, CgroupTolerance.Missing);
        }
    }

    public static void AddRdma(CgroupPlanBuilder plan, SpecMap<RdmaLimit> devices)
    {
        foreach (KeyValuePair<string, RdmaLimit> device in devices.AsSpan())
        {
            string line = device.Key;
            if (device.Value.HcaHandles is { } handles) line += $" hca_handle={handles}";
            if (device.Value.HcaObjects is { } objects) line += $" hca_object={objects}";
            plan.Write(ControlFile.RdmaMax, new Line(line), $"rdma/{JsonPointer.Escape(device.Key)}");
        }
    }
}
