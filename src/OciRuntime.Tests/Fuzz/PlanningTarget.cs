using System.Text.Json;
using System.Text.Json.Nodes;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.Tests.Plan;
using PlanHost = OciRuntime.Host.CgroupHost;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// All that `create` does with a config.json before its first side effect: reading, validating, planning, compiling, and `explain`'s two
/// forms. Throws when a promise is broken: an exception that is no clean error, a plan that leaves the root file system, steps in the wrong
/// order.
/// </summary>
internal sealed class PlanningTarget(Random random)
{
    private const string V1 =
        "28 25 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n29 25 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup "
        + "rw,cpu,cpuacct\n"
        + "31 25 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n32 25 0:29 / /sys/fs/cgroup/devices rw - cgroup cgroup "
        + "rw,devices\n33 25 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
        + "34 25 0:31 / /sys/fs/cgroup/blkio rw - cgroup cgroup rw,blkio\n35 25 0:32 / /sys/fs/cgroup/net_cls,net_prio rw - cgroup cgroup "
        + "rw,net_cls,net_prio\n"
        + "36 25 0:33 / /sys/fs/cgroup/hugetlb rw - cgroup cgroup rw,hugetlb\n37 25 0:34 / /sys/fs/cgroup/rdma rw - cgroup cgroup "
        + "rw,rdma\n";

    /// <summary>Hosts with each kind of cgroups.</summary>
    public static IReadOnlyDictionary<string, PlanHost> CgroupHosts { get; } = new Dictionary<string, PlanHost>
    {
        ["v2"] = PlanHost.FromMountInfo("26 25 0:24 / /sys/fs/cgroup rw shared:10 - cgroup2 cgroup2 rw,nsdelegate\n"u8),
        ["v1"] = PlanHost.FromMountInfo(System.Text.Encoding.UTF8.GetBytes(V1)),
        ["hybrid"] = PlanHost.FromMountInfo(System.Text.Encoding.UTF8.GetBytes(V1
            + "26 25 0:24 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n")),
    };

    private int _planned;

    /// <summary>Runs one input.</summary>
    public FuzzOutcome Run(byte[] input)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(input, problems);
        if (!problems.HasErrors) SpecValidator.Validate(spec, problems);
        if (!problems.HasErrors && spec.Process is null) problems.Error("/process", null, "is required to start a container");
        foreach (SpecProblem problem in problems.Errors) CheckPointer(problem.Pointer, problem.ToString());
        if (problems.HasErrors) return Refuse(problems.ToString());
        try
        {
            LaunchPreparation preparation = Prepare(spec);
            Check(preparation, Corpus.TryParse(input));
            return FuzzOutcome.Taken;
        }
        catch (OciException e)
        {
            return Refuse(e.Message);
        }
    }

    private LaunchPreparation Prepare(RuntimeSpec spec)
    {
        HostFacts host = random.Next(4) == 0
            ? new() { LastCapability = 40, Uid = 1000, InUserNamespace = random.Next(2) == 0 } : Plans.Root;
        LaunchSettings settings = new()
        {
            Verb = "create",
            Id = "c",
            WaitForStart = true,
            OnlyExplain = true,
            NoNewKeyring = random.Next(2) == 0,
            RootlessCgroups = host.Uid != 0,
        };
        PlanHost? cgroups = random.Next(5) == 0 ? null : CgroupHosts.Values.ElementAt(random.Next(CgroupHosts.Count));
        return LaunchPreparation.Decide(settings, "/run/ocirun/c", spec, "/b", "/b/rootfs", host, cgroups, [], []);
    }

    private void Check(LaunchPreparation preparation, JsonNode? document)
    {
        LaunchPlan plan = preparation.Plan;
        if (StepOrder.Violation(plan, preparation.Spec.Mounts) is { } violation) throw new FuzzException(violation);
        foreach (PlanStep step in plan.Steps) CheckStep(step, document);
        Explanation explanation = LaunchActions.Explain(preparation);
        using JsonDocument json = JsonDocument.Parse(PlanPrinter.Json(explanation).ToArray());
        if (PlanPrinter.Text(explanation).AsSpan().IndexOfAnyInRange('\x0', '\x9') >= 0)
            throw new FuzzException("explain prints control characters");
        // The native form is never freed, so only some are made.
        if (_planned++ % 16 == 0) Compile(plan);
    }

    private static void Compile(LaunchPlan plan)
    {
        InheritedDescriptors descriptors = new();
        foreach (PlanStep step in plan.Steps)
        {
            if (step is EnterCgroupStep) descriptors.Give(step, -1);
            if (step is JoinNamespacesStep join) join.Joins.ForEach(_ => descriptors.Give(step, -1));
        }
        PlanCompiler.Compile(plan, descriptors);
    }

    private static void CheckStep(PlanStep step, JsonNode? document)
    {
        string words = step.Describe();
        string? inside = step switch
        {
            IMountStep mount => mount.Target.Path,
            DeviceNodeStep node => node.Path,
            DeviceBindStep device => device.Path,
            DeviceMountStep device => device.Path,
            SymlinkStep link => link.Path,
            SetMountAttributesStep change => change.Path,
            ReconfigureFilesystemStep change => change.Path,
            MaskPathStep mask => mask.Path,
            ReadonlyPathStep place => place.Path,
            MakeDirectoryStep directory => directory.Path,
            _ => null,
        };
        if (inside is not null
            && (inside.Length == 0 || inside[0] == '/' || Array.Exists(inside.Split('/'), static part => part is "" or ".." || part == "."))
            && !(inside == "." && step is SetMountAttributesStep or MakeDirectoryStep))
        {
            throw new FuzzException($"\"{inside}\" is no clean path below the root: {words}");
        }
        CheckOrigin(step.Origin.ToString(), words, document);
    }

    /// <summary>explain must not name what is not there; a default may be named by the object that lacks it.</summary>
    private static void CheckOrigin(string pointer, string words, JsonNode? document)
    {
        CheckPointer(pointer, words);
        if (document is null || pointer.Length == 0) return;
        JsonNode? at = document;
        string[] parts = pointer[1..].Split('/');
        foreach (string part in parts[..^1])
        {
            string name = part.Replace("~1", "/").Replace("~0", "~");
            at = at is JsonArray array ? array[int.Parse(name)] : at is JsonObject members ? members[name]
                : throw new FuzzException($"{pointer} leads nowhere: {words}");
        }
    }

    private static void CheckPointer(string pointer, string words)
    {
        if (pointer.Length > 0 && pointer[0] != '/') throw new FuzzException($"\"{pointer}\" is no JSON pointer: {words}");
    }

    private static FuzzOutcome Refuse(string message)
    {
        if (message.Length == 0) throw new FuzzException("refused without a word");
        return FuzzOutcome.Refused;
    }
}
