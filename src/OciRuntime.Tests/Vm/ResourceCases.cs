namespace OciRuntime.Tests.Vm;

/// <summary>
/// Cases of `linux.resources`, each in a container of its own, and what the files of pure cgroup v2 say then: the same with either cgroup
/// driver.
/// </summary>
internal static class ResourceCases
{
    /// <summary>
    /// JSON of linux.resources | files | what they say then | what they say with systemd, where that is another: it thinks of bfq, whose
    /// weights are others.
    /// </summary>
    public static readonly string[] Values =
    [
        """{"memory":{"limit":33554432,"swap":33554432}}|memory.max memory.swap.max|33554432 0""",
        """{"memory":{"limit":33554432,"swap":33558528}}|memory.max memory.swap.max|33554432 4096""",
        """{"memory":{"limit":33554432,"swap":-1}}|memory.max memory.swap.max|33554432 max""",
        """{"memory":{"limit":33554432,"swap":0}}|memory.max memory.swap.max|33554432 max""",
        """{"memory":{"limit":-1}}|memory.max memory.swap.max|max max""",
        """{"memory":{"limit":-1,"swap":1048576}}|memory.max memory.swap.max|max 1048576""",
        """{"memory":{"swap":-1,"reservation":-1}}|memory.swap.max memory.low|max max""",
        """{"memory":{"limit":33554432,"reservation":16777216,"checkBeforeUpdate":true,"swappiness":7,"disableOOMKiller":true,"kernel":5,"kernelTCP":5,"useHierarchy":true}}|memory.max memory.low|33554432 16777216""",
        """{"cpu":{"shares":2}}|cpu.weight|1""",
        """{"cpu":{"shares":262144}}|cpu.weight|10000""",
        """{"cpu":{"shares":1024,"quota":20000}}|cpu.weight cpu.max|100 20000 100000""",
        """{"cpu":{"quota":-1,"period":50000}}|cpu.max|max 50000""",
        """{"cpu":{"period":50000}}|cpu.max|max 50000""",
        """{"cpu":{"quota":2000,"period":1000,"burst":2000}}|cpu.max cpu.max.burst|2000 1000 2000""",
        """{"cpu":{"idle":1,"shares":500}}|cpu.idle|1""",
        """{"cpu":{"realtimeRuntime":5000,"realtimePeriod":50000}}|cpu.max|max 100000""",
        """{"cpu":{"cpus":"0","mems":"0"}}|cpuset.cpus cpuset.mems|0 0""",
        """{"pids":{"limit":0}}|pids.max|max""",
        """{"pids":{"limit":-1}}|pids.max|max""",
        """{"network":{"classID":5,"priorities":[{"name":"lo","priority":2}]}}|cpu.max|max 100000""",
        """{"blockIO":{"weight":10,"leafWeight":20}}|io.weight|default 1|default 10""",
        """{"blockIO":{"weight":1000}}|io.weight|default 10000""",
        """{"hugepageLimits":[{"pageSize":"2MB","limit":0}]}|hugetlb.2MB.max hugetlb.2MB.rsvd.max|0 0""",
        """{"memory":{"limit":33554432},"unified":{"memory.max":"8192000","io.max":"7:0 rbps=5\n7:0 wbps=6"}}|memory.max io.max|8192000 7:0 rbps=5 wbps=6 riops=max wiops=max""",
    ];

    /// <summary>One line for each of <see cref="Values"/>.</summary>
    public static IEnumerable<string> Expected => Values.Select(one => one.Split('|')[2]);

    /// <summary>The same for the systemd driver.</summary>
    public static IEnumerable<string> ExpectedWithSystemd => Values.Select(one => one.Split('|')[2..][^1]);

    /// <summary>Adds a check that prints a line for each case: the values, or the end of the error message.</summary>
    /// <param name="vm">The checks.</param>
    /// <param name="name">The check's name.</param>
    /// <param name="runtime">The command that creates the containers.</param>
    /// <param name="cgroupsPath">Their cgroupsPath.</param>
    /// <param name="directory">The directory that it means.</param>
    /// <param name="cases">The cases; they come from standard input.</param>
    public static void Add(VmChecks vm, string name, string runtime, string cgroupsPath, string directory, IEnumerable<string> cases) =>
        vm.Add(name, bundle =>
    {
        bundle.Linux["cgroupsPath"] = cgroupsPath;
        bundle.Linux["resources"] = "@";
    }, $$"""
        read -r template <config.json
        while IFS='|' read -r json files rest; do
          printf '%s' "${template%%\"@\"*}$json${template#*\"@\"}" >config.json
          if {{runtime}} create $id </dev/null >/dev/null 2>/tmp/error; then
            v=
            for f in $files; do while read -r l; do v="$v${v:+ }$l"; done <{{directory}}/$f; done
            echo "$v"
            ocirun delete --force $id </dev/null
          else
            sed 's/.*failed: //; s/"$//; s/\\"/"/g' /tmp/error
            [ ! -e {{directory}} ] || echo left
          fi
        done <<'EOF'
        {{string.Join("\n", cases)}}
        EOF
        rm -f /tmp/error
        """);
}
