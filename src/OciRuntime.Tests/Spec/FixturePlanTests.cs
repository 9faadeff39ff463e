using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Spec;
using OciRuntime.Tests.Fuzz;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Spec;

/// <summary>Every valid file, as it stands, on machines of each kind.</summary>
public sealed class FixturePlanTests
{
    /// <summary>What a file asks for and the kernel cannot do.</summary>
    private static readonly Dictionary<string, string[]> Warnings = new()
    {
        ["kitchen-sink"] = ["/linux/resources/memory/kernel"],
    };

    /// <summary>What cgroup v2 does not have.</summary>
    private static readonly Dictionary<string, string[]> UnifiedWarnings = new()
    {
        ["kitchen-sink"] =
        [
            "/linux/resources/memory/kernelTCP", "/linux/resources/memory/swappiness", "/linux/resources/blockIO/leafWeight",
            "/linux/resources/cpu/realtimeRuntime",
            "/linux/resources/cpu/realtimePeriod", "/linux/resources/network",
        ],
        ["sections/resources-blockio-weight"] = ["/linux/resources/blockIO/leafWeight"],
        ["sections/resources-cpu-realtime"] = ["/linux/resources/cpu/realtimeRuntime", "/linux/resources/cpu/realtimePeriod"],
        ["sections/resources-memory-v1"] = ["/linux/resources/memory/swappiness"],
        ["sections/resources-network"] = ["/linux/resources/network"],
    };

    public static IEnumerable<TestCaseData> All() =>
        from name in SpecFixtures.Valid
        where SpecFixtures.Parse(name).Process is not null
        from cgroups in PlanningTarget.CgroupHosts.Keys
        select new TestCaseData(name, cgroups);

    [TestCaseSource(nameof(All))]
    public void Plan_is_in_order_and_warns_of_nothing_else(string name, string cgroups)
    {
        List<string> warnings = [], refusals = [];
        RuntimeSpec spec = SpecFixtures.Parse(name);
        LaunchSettings settings = new() { Verb = "create", Id = "c", WaitForStart = true, ConsoleSocket = "/console", OnlyExplain = true };
        SeccompReceiver.Apply(spec);
        // Where resctrl is mounted only the machine itself can say.
        if (spec.Linux is not null) spec.Linux.IntelRdt = null;
        // Refused by name on v1, where no file of cgroup v2 is.
        if (cgroups != "v2" && spec.Linux?.Resources is { } resources) resources.Unified = new();
        LaunchPreparation preparation =
            LaunchPreparation.Decide(settings, "/run/ocirun/c", spec, "/b", "/b/rootfs", HostFor(name), PlanningTarget.CgroupHosts[cgroups],
            warnings, refusals);
        StepOrder.Violation(preparation.Plan, spec.Mounts).Should().BeNull();
        refusals.Should().BeEmpty();
        warnings.Select(warning => warning.Split(": ")[0]).Should().BeEquivalentTo(
            [.. Warnings.GetValueOrDefault(name, []), .. cgroups == "v2" ? UnifiedWarnings.GetValueOrDefault(name, []) : []], "{0}",
            string.Join('\n', warnings));
    }

    /// <summary>The published binary on this machine; a file that needs cgroups as they cannot all be at once is adapted to them.</summary>
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.Explainable))]
    public void Published_binary_explains_it(string name)
    {
        Requires.OcirunItself();
        using FixtureBundle? adapted = name == "kitchen-sink" || name.StartsWith("sections/resources", StringComparison.Ordinal)
            ? new(name) : null;
        using TestBundle asItStands = new() { Config = JsonNode.Parse(SpecFixtures.Read(name))!.AsObject() };
        TestBundle bundle = adapted?.Bundle ?? asItStands;
        // The one thing that has to be there.
        bundle.Config["root"]!["path"] = "rootfs";
        bundle.Save();
        JsonObject plan = Ocirun.Run("explain", "--format", "json", "--console-socket", "/console", "--bundle", bundle.Directory)
            .ShouldSucceed().Json.AsObject();
        plan["steps"]!.AsArray().Should().NotBeEmpty();
    }

    /// <summary>
    /// runc's and Podman's files of an ordinary user are for himself, and for root of the user namespace that Podman makes for him.
    /// </summary>
    private static HostFacts HostFor(string name) => name switch
    {
        "rootless" => new()
        {
            LastCapability = 40,
            Uid = 1000,
            Gid = 1000,
            Programs = new() { ["newuidmap"] = "/usr/bin/newuidmap", ["newgidmap"] = "/usr/bin/newgidmap" },
        },
        _ when name.Contains("rootless") =>
            new() { LastCapability = 40, Permitted = (1UL << 41) - 1, InUserNamespace = true, DeniesSetgroups = false },
        _ => new() { LastCapability = 40, Permitted = (1UL << 41) - 1, AppArmor = true, Selinux = true },
    };
}
