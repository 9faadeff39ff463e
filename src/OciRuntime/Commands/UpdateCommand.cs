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
    private const string Cache = "--l3-cache-schema", Bandwidth = "--mem-bw-schema";

    public static int Run(GlobalOptions g, UpdateOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        // Before the lock is taken: whoever writes to standard input may take his time.
        LinuxResources resources = o.Resources is { } file ? Read(file) : FromOptions(o);
        if (o.Resources is not null && o.HasLimits)
            Logger.Warn(g, "--resources: all limits come from it; those of other options are ignored");
        entry.Acquire("update");
        ContainerState state = entry.ReadState();
        if (entry.Probe(state) is ContainerStatus.Stopped or ContainerStatus.Creating)
            throw new OciException("container not running", Errno.ESRCH);
        // What `create` would have made of it; the configuration is read only for the one value whose meaning depends on its version.
        if (resources.Pids is { Limit: 0 } pids) pids.Settle(SpecLoader.Reload(entry).OciVersion);
        CgroupPlan plan = LimitUpdate.Plan(entry, state, OwnCgroup.Of(state).Paths, resources, out List<string> warnings);
        Action rdt = RdtChange(state, Schemata(o));
        foreach (string warning in warnings) Logger.Warn(g, warning);
        LimitUpdate.Apply(plan, entry, state, rdt);
        return ExitCodes.Success;
    }

    private static LinuxResources Read(string file)
    {
        string what = $"--resources {file}";
        byte[]? json;
        long error;
        if (file == "-") json = Files.ReadToEnd(0, SpecReader.MaxBytes, out error);
        else json = Files.ReadFileAt(Files.AT_FDCWD, file, SpecReader.MaxBytes, out error);
        if (json is null) throw OciException.FromResult(error, what);
        SpecProblems problems = new(what);
        LinuxResources resources = SpecReader.ParseResources(json, problems);
        return problems.HasErrors ? throw new OciException(problems.ToString(), Errno.EINVAL) : resources;
    }

    private static LinuxResources FromOptions(UpdateOptions o) => new()
    {
        Memory = new MemoryResources
        {
            Limit = o.Memory,
            Reservation = o.MemoryReservation,
            Swap = o.MemorySwap,
            Kernel = o.KernelMemory,
            KernelTCP = o.KernelMemoryTcp
        },
        Cpu = new CpuResources
        {
            Shares = (ulong?)o.CpuShare,
            Quota = o.CpuQuota,
            Period = (ulong?)o.CpuPeriod,
            Burst = (ulong?)o.CpuBurst,
            RealtimeRuntime = o.CpuRtRuntime,
            RealtimePeriod = (ulong?)o.CpuRtPeriod,
            Cpus = o.CpusetCpus,
            Mems = o.CpusetMems,
            Idle = o.CpuIdle,
        },
        Pids = new PidsResources { Limit = o.PidsLimit },
        BlockIO = new BlockIOResources { Weight = (ushort?)o.BlkioWeight },
    };

    private static List<SchemaLine> Schemata(UpdateOptions o)
    {
        SpecProblems problems = new();
        SpecValidator.ValidateBandwidth(o.MemBwSchema, Bandwidth, problems);
        if (problems.HasErrors) throw new OciException(problems.ToString(), Errno.EINVAL);
        List<SchemaLine> lines = [];
        foreach (string line in (o.L3CacheSchema ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
            lines.Add(new SchemaLine(Cache, line));
        if (!string.IsNullOrEmpty(o.MemBwSchema)) lines.Add(new SchemaLine(Bandwidth, o.MemBwSchema));
        return lines;
    }

    private static Action RdtChange(ContainerState state, List<SchemaLine> schemata)
    {
        if (schemata.Count == 0) return static () => { };
        string? root = FullMounts.Resctrl();
        foreach (SchemaLine line in schemata)
        {
            // runc's words.
            bool cache = line.Pointer == Cache;
            if (root is not null && ResctrlPlan.Exists($"{root}/info/{(cache ? "L3" : "MB")}")) continue;
            throw new OciException(cache ? "Intel RDT/CAT: l3 cache schema is not enabled"
                : "Intel RDT/MBA: memory bandwidth schema is not enabled", Errno.ENODEV);
        }
        string group = Resctrl.GroupOf(root!, state.Init.Pid)
            ?? throw new OciException("updating a non-existent Intel RDT configuration is not supported", Errno.ENOENT);
        return () => Resctrl.Update(root!, group, schemata);
    }
}
