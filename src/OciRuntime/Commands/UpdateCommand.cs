using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Rdt;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun update [LIMITS | --resources FILE] ID</c>. All of it or nothing.</summary>
internal static class UpdateCommand
{
    public static int Run(GlobalOptions g, UpdateOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        // Before the lock is taken: whoever writes to standard input may take his time.
        LinuxResources resources = o.Resources is { } file ? Read(file) : FromOptions(o);
        if (o.Resources != null && o.HasLimits) Logger.Warn(g, "--resources: all limits come from it; those of other options are ignored");
        entry.Acquire("update");
        ContainerState state = entry.ReadState();
        if (entry.Probe(state) is ContainerStatus.Stopped or ContainerStatus.Creating) throw new OciException("container not running", Errno.ESRCH);
        // What `create` would have made of it; the configuration is read only for the one value whose meaning depends on its version.
        if (resources.Pids is { Limit: 0 } pids) pids.Settle(SpecLoader.Reload(entry).OciVersion);
        CgroupPlan plan = Plan(OwnCgroup.Of(state).Paths, resources, state.SystemdUnit != null, out List<string> warnings);
        Action rdt = RdtChange(state, Schemata(o));
        foreach (string warning in warnings) Logger.Warn(g, warning);
        Apply(plan, state, rdt);
        return ExitCodes.Success;
    }

    private static CgroupPlan Plan(IReadOnlyList<string> paths, LinuxResources resources, bool systemd, out List<string> warnings)
    {
        CgroupHost host = CgroupHost.Probe();
        CurrentLimits.Complete(host, paths, resources);
        SpecProblems problems = new();
        SpecValidator.ValidateResources(resources, problems);
        if (problems.HasErrors) throw new OciException(problems.ToString(), Errno.EINVAL);
        CgroupPlan plan = CgroupPlan.BuildUpdate(host, paths, resources, systemd, UserNamespace.IsNested());
        warnings = [.. plan.Warnings];
        foreach (SpecProblem warning in problems.Warnings) warnings.Add(warning.ToString());
        return plan;
    }

    /// <summary>The limits are in the kernel and nowhere else, so to take a change back is to write there what was there before.</summary>
    private static void Apply(CgroupPlan plan, ContainerState state, Action last)
    {
        CgroupUndo undo = CgroupUndo.Take(plan);
        try
        {
            if (state.SystemdUnit != null)
            {
                Cgroup.CheckBefore(plan);
                ScopeUpdate.Apply(state.SystemdUnit, state.SystemdUser, plan, UnitProperties.ForLimits(plan.Steps));
            }
            Cgroup.Apply(plan);
            // After ours, which take systemd's program away with the old one; it comes back with the new rules.
            if (state is { SystemdUnit: { } unit, SystemdUser: false } && plan.Devices != null) ScopeUpdate.Apply(unit, isUser: false, plan, UnitDevices.Replacing(plan.Devices, plan.IsUnified));
            last();
        }
        catch (OciException e)
        {
            if (state.SystemdUnit != null) ScopeUpdate.TakeBack(state.SystemdUnit, state.SystemdUser, plan, UnitProperties.ForLimits(undo.Steps));
            List<string> left = undo.Restore();
            if (left.Count == 0) throw;
            throw new OciException($"{e.Message}; and the old limits could not all be restored: {string.Join(", ", left)}", e.Errno);
        }
    }

    private static LinuxResources Read(string file)
    {
        string what = $"--resources {file}";
        byte[]? json;
        long error;
        if (file == "-") json = Files.ReadToEnd(0, SpecReader.MaxBytes, out error);
        else json = Files.ReadFileAt(Files.AT_FDCWD, file, SpecReader.MaxBytes, out error);
        if (json == null) throw OciException.FromResult(error, what);
        SpecProblems problems = new(what);
        LinuxResources resources = SpecReader.ParseResources(json, problems);
        return problems.HasErrors ? throw new OciException(problems.ToString(), Errno.EINVAL) : resources;
    }

    private static LinuxResources FromOptions(UpdateOptions o) => new()
    {
        Memory = new MemoryResources { Limit = o.Memory, Reservation = o.MemoryReservation, Swap = o.MemorySwap, Kernel = o.KernelMemory, KernelTCP = o.KernelMemoryTcp },
        Cpu = new CpuResources
        {
            Shares = (ulong?)o.CpuShare, Quota = o.CpuQuota, Period = (ulong?)o.CpuPeriod, Burst = (ulong?)o.CpuBurst,
            RealtimeRuntime = o.CpuRtRuntime, RealtimePeriod = (ulong?)o.CpuRtPeriod,
            Cpus = o.CpusetCpus, Mems = o.CpusetMems, Idle = o.CpuIdle,
        },
        Pids = new PidsResources { Limit = o.PidsLimit },
        BlockIO = new BlockIOResources { Weight = (ushort?)o.BlkioWeight },
    };

    private static List<SchemaLine> Schemata(UpdateOptions o)
    {
        List<SchemaLine> lines = [];
        foreach (string line in (o.L3CacheSchema ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries)) lines.Add(new SchemaLine("--l3-cache-schema", line));
        if (o.MemBwSchema != null) lines.Add(new SchemaLine("--mem-bw-schema", o.MemBwSchema));
        return lines;
    }

    private static Action RdtChange(ContainerState state, List<SchemaLine> schemata)
    {
        if (schemata.Count == 0) return static () => { };
        string? root = FullMounts.Resctrl();
        foreach (SchemaLine line in schemata)
        {
            // runc's words.
            bool cache = line.Pointer == "--l3-cache-schema";
            if (root != null && ResctrlPlan.Exists($"{root}/info/{(cache ? "L3" : "MB")}")) continue;
            throw new OciException(cache ? "Intel RDT/CAT: l3 cache schema is not enabled" : "Intel RDT/MBA: memory bandwidth schema is not enabled", Errno.ENODEV);
        }
        string group = Resctrl.GroupOf(root!, state.Init.Pid) ?? throw new OciException("updating a non-existent Intel RDT configuration is not supported", Errno.ENOENT);
        return () => Resctrl.Update(root!, group, schemata);
    }
}
