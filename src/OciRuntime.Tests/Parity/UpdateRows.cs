using OciRuntime.Tests.Support;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>update, with its effect read from the cgroup.</summary>
internal static class UpdateRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("update",
            new("run", "run -d --bundle {bundle} {id}"),
            new("nothing", "update {id}"),
            Limit("--memory in bytes", "--memory 67108864", "memory", "memory.limit_in_bytes"),
            Limit("--memory with a suffix", "--memory 32m", "memory", "memory.limit_in_bytes") with { Relation = SameAsRunc },
            Limit("--memory without a limit", "--memory -1", "memory", "memory.limit_in_bytes"),
            Limit("--memory and --memory-swap", "--memory 33554432 --memory-swap 67108864", "memory", "memory.memsw.limit_in_bytes"),
            Limit("--memory-swap alone", "--memory-swap 100663296", "memory", "memory.memsw.limit_in_bytes"),
            Limit("--memory-reservation", "--memory-reservation 16777216", "memory", "memory.soft_limit_in_bytes"),
            Limit("--cpu-share", "--cpu-share 512", "cpu", "cpu.shares"),
            Limit("--cpu-quota and --cpu-period", "--cpu-quota 20000 --cpu-period 50000", "cpu", "cpu.cfs_quota_us"),
            Limit("--cpu-period alone", "--cpu-period 40000", "cpu", "cpu.cfs_period_us"),
            Limit("--cpu-quota without a limit", "--cpu-quota -1", "cpu", "cpu.cfs_quota_us") with { Relation = SameAsRunc },
            Limit("--cpuset-cpus", "--cpuset-cpus 0", "cpuset", "cpuset.cpus"),
            Limit("--cpuset-mems", "--cpuset-mems 0", "cpuset", "cpuset.mems"),
            Limit("--pids-limit", "--pids-limit 44", "pids", "pids.max"),
            Limit("--pids-limit without a limit", "--pids-limit -1", "pids", "pids.max") with { Relation = SameAsRunc },
            Limit("--pids-limit of nothing", "--pids-limit 0", "pids", "pids.max") with { Relation = SameAsRunc },
            new("--kernel-memory", "update --kernel-memory 67108864 {id}") { Relation = SameAsRunc },
            Limit("--resources", "--resources {dir}/r.json", "pids",
            "pids.max") with { Before = static s => File.WriteAllText(s.Scratch("r.json"), "{\"pids\":{\"limit\":45}}") },
            Limit("-r -", "-r -", "pids", "pids.max") with { Stdin = "{\"pids\":{\"limit\":46}}" },
            Limit("--resources wins", "--pids-limit 47 --resources {dir}/r.json", "pids",
            "pids.max") with { Relation = Differs("a limit that comes to nothing is warned of") },
            new("--blkio-weight", "update --blkio-weight 500 {id}") { Relation = SameAsRunc },
            new("--blkio-weight that is out of range", "update --blkio-weight 5000 {id}") { Compared = Compared.Mistake },
            new("--resources that is not there", "update --resources {dir}/none {id}") { Says = ["no such file or directory"] },
            new("--resources that is no JSON", "update --resources - {id}") { Stdin = "{" },
            new("--memory that is no size", "update --memory lots {id}") { Compared = Compared.Mistake },
            new("--cpu-share that is no number", "update --cpu-share many {id}") { Compared = Compared.Mistake },
            new("--cpu-share that is negative", "update --cpu-share=-5 {id}") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("--cpuset-cpus that are not there", "update --cpuset-cpus 4000 {id}"),
            new("--l3-cache-schema where there is none",
            "update --l3-cache-schema L3:0=f {id}") { Says = ["Intel RDT/CAT: l3 cache schema is not enabled"], Relation = SameAsRunc },
            new("--mem-bw-schema where there is none",
            "update --mem-bw-schema MB:0=20 {id}")
            {
                Says = ["Intel RDT/MBA: memory bandwidth schema is not enabled"], Relation = SameAsRunc
            },
            new("it still runs", "state {id}")) { Needs = static () => Requires.V1Controller("pids") },
    ];

    private static Row Limit(string name, string options, string controller, string file) =>
        new(name, $"update {options} {{id}}") { Effect = s => s.ReadCgroup(controller, file) };
}
