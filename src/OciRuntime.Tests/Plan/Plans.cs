using System.Text;
using System.Text.Json.Nodes;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Plan;

/// <summary>Plans made in this process from a configuration, for a machine as the test wants it.</summary>
internal static class Plans
{
    /// <summary>Real root of a machine with 41 capabilities.</summary>
    public static readonly HostFacts Root = new() { LastCapability = 40, Permitted = (1UL << 41) - 1 };

    /// <summary>One v1 hierarchy with two controllers, one with a name only, and v2 beside them.</summary>
    public static readonly CgroupView[] Hybrid =
    [
        new(new CgroupHierarchy("/sys/fs/cgroup/cpu,cpuacct", ["cpu", "cpuacct"], null, Unified: false), "/sys/fs/cgroup/cpu,cpuacct/c"),
        new(new CgroupHierarchy("/sys/fs/cgroup/systemd", [], "systemd", Unified: false), "/sys/fs/cgroup/systemd/c"),
        new(new CgroupHierarchy("/sys/fs/cgroup/unified", [], null, Unified: true), "/sys/fs/cgroup/unified/c"),
    ];

    public static readonly CgroupView[] Unified = [new(new CgroupHierarchy("/sys/fs/cgroup", [], null, Unified: true), "/sys/fs/cgroup/c")];

    public static RuntimeSpec Parse(JsonNode config)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()), problems);
        if (!problems.HasErrors) SpecValidator.Validate(spec, problems);
        NUnit.Framework.Assert.That(problems.ToString(), NUnit.Framework.Is.Empty);
        return spec;
    }

    /// <summary>The plan of the default configuration after a change.</summary>
    public static LaunchPlan Default(Action<JsonObject>? change = null, HostFacts? host = null, CgroupView[]? cgroups = null,
        bool noPivot = false, bool systemd = false)
    {
        JsonObject config = DefaultConfig.Create();
        change?.Invoke(config);
        return Of(config, host, cgroups, noPivot, systemd);
    }

    public static LaunchPlan Of(JsonNode config, HostFacts? host = null, CgroupView[]? cgroups = null, bool noPivot = false,
        bool systemd = false) => Planner.Build(new PlanRequest
        {
            Spec = Parse(config),
            Host = host ?? Root,
            Id = "c",
            Bundle = "/b",
            Rootfs = "/b/rootfs",
            WaitForStart = true,
            NoPivot = noPivot,
            Cgroups = cgroups ?? [],
            AwaitsCgroup = systemd,
        });

    /// <summary>The plan of one more process in a container with all namespaces but the time one.</summary>
    public static LaunchPlan Exec(Action<JsonObject>? change = null, ulong namespaces = EveryNamespace, bool systemd = false)
    {
        JsonObject config = DefaultConfig.Create();
        change?.Invoke(config);
        PlanRequest request =
            new()
            {
                Spec = Parse(config),
                Host = Root,
                Id = "c",
                Bundle = "/b",
                Rootfs = "/b/rootfs",
                IsExec = true,
                NewKeyring = true,
                Cgroups = Hybrid,
                AwaitsCgroup = systemd,
            };
        return ExecPlanner.Build(request, new ExecTarget { Namespaces = namespaces, DeniesSetgroups = false });
    }

    /// <summary>The plan of mounts in a container with a user namespace.</summary>
    public static LaunchPlan Live(Action<JsonObject>? change = null)
    {
        JsonObject config = DefaultConfig.Create();
        change?.Invoke(config);
        PlanRequest request = new() { Spec = Parse(config), Host = Root, Id = "c", Bundle = "/b", Rootfs = "/b/rootfs", IsLive = true };
        return LiveMountPlanner.BuildAdd(request, [new("user", Processes.CLONE_NEWUSER, "/proc/1/ns/user", 0)], GroupPolicy.Set);
    }

    private const ulong EveryNamespace = Processes.CLONE_NEWUSER | Processes.CLONE_NEWNS | Processes.CLONE_NEWPID | Processes.CLONE_NEWNET
        | Processes.CLONE_NEWIPC
        | Processes.CLONE_NEWUTS | Processes.CLONE_NEWCGROUP;

    /// <summary>The steps of a kind.</summary>
    public static List<TStep> Steps<TStep>(this LaunchPlan plan) => [.. plan.Steps.OfType<TStep>()];

    /// <summary>The words of all steps.</summary>
    public static List<string> Words(this LaunchPlan plan) => plan.Steps.ConvertAll(static step => step.Describe());

    public static JsonObject Json(string text) => JsonNode.Parse(text)!.AsObject();
}
