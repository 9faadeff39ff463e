using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Plan;

public sealed class CapabilitySetsTests
{
    private const string Kill = "CAP_KILL", Chown = "CAP_CHOWN", Raw = "CAP_NET_RAW";
    private static readonly ulong KillBit = Bit(Kill), ChownBit = Bit(Chown), All = Bit(Kill) | Bit(Chown) | Bit(Raw);

    [Test]
    public void None_means_none()
    {
        List<string> warnings = [];
        CapabilitySets sets = CapabilitySets.Build(null, isRoot: false, All, warnings);
        (sets.Bounding | sets.Effective | sets.Permitted | sets.Inheritable | sets.Ambient).Should().Be(0UL);
        warnings.Should().BeEmpty();
    }

    [Test]
    public void Each_set_is_its_own()
    {
        List<string> warnings = [];
        CapabilitySets sets = CapabilitySets.Build(
            new ProcessCapabilities
            {
                Bounding = [Raw, Chown],
                Permitted = [Kill, Chown],
                Effective = [Kill],
                Inheritable = [Chown],
                Ambient = [Chown]
            }, isRoot: false, All, warnings);
        (sets.Bounding, sets.Permitted, sets.Effective, sets.Inheritable, sets.Ambient).Should()
            .Be((Bit(Raw) | ChownBit, KillBit | ChownBit, KillBit, ChownBit, ChownBit));
        warnings.Should().BeEmpty();
    }

    /// <summary>runtime-spec config.md: what cannot be mapped or granted is to be warned about and must not fail the container.</summary>
    [Test]
    public void Unknown_and_unavailable_ones_are_left_out_with_a_warning()
    {
        List<string> warnings = [];
        CapabilitySets sets = CapabilitySets.Build(
            new ProcessCapabilities
            {
                Bounding = [Kill, "CAP_FUTURE", "CAP_SYS_ADMIN"],
                Permitted = ["CAP_FUTURE", "kill"],
                Inheritable = ["CAP_SYS_ADMIN"]
            }, isRoot: false, All, warnings);
        sets.Bounding.Should().Be(KillBit);
        warnings.Should().Equal(
            "/process/capabilities: left out: \"CAP_FUTURE\" (not a known capability), \"CAP_SYS_ADMIN\" (not available to the runtime), "
            + "\"kill\" (not a known capability)");
    }

    /// <summary>
    /// The kernel would refuse them: effective beyond permitted, inheritable beyond bounding (capset(2)), ambient beyond permitted and
    /// inheritable (capabilities(7)).
    /// </summary>
    [Test]
    public void Effective_inheritable_and_ambient_stay_within_what_the_kernel_allows()
    {
        List<string> warnings = [];
        CapabilitySets sets = CapabilitySets.Build(
            new ProcessCapabilities
            {
                Bounding = [Chown],
                Permitted = [Kill],
                Effective = [Kill, Raw],
                Inheritable = [Chown, Raw],
                Ambient = [Kill, Chown]
            }, isRoot: false, All, warnings);
        (sets.Effective, sets.Inheritable, sets.Ambient).Should().Be((KillBit, ChownBit, 0UL));
        warnings.Should().Equal("/process/capabilities: left out: \"CAP_NET_RAW\" (inheritable, but not bounding), "
            + "\"CAP_NET_RAW\" (effective, but not permitted), "
            + "\"CAP_CHOWN\" (ambient, but not permitted and inheritable), \"CAP_KILL\" (ambient, but not permitted and inheritable)");
    }

    [Test]
    public void Root_misses_no_ambient_ones()
    {
        List<string> warnings = [];
        CapabilitySets.Build(new ProcessCapabilities { Permitted = [Kill], Ambient = [Kill, "CAP_FUTURE"] }, isRoot: true, All,
            warnings).Ambient.Should().Be(0UL);
        warnings.Should().Equal("/process/capabilities: left out: \"CAP_FUTURE\" (not a known capability)");
    }

    [Test]
    public void Hostile_lists_do_not_fill_the_log()
    {
        List<string> warnings = [];
        CapabilitySets.Build(new ProcessCapabilities
        {
            Bounding = [.. Enumerable.Range(0, 5000).Select(i => $"X{i}{new string('x', 5000)}")]
        }, isRoot: false, All, warnings);
        warnings.Should().ContainSingle().Which.Should().EndWith(" and others").And.Subject.Length.Should()
            .BeLessThan(SpecProblems.MaxKept * 200);
    }

    /// <summary>A new user namespace gives all capabilities over itself, whoever makes it.</summary>
    [Test]
    public void User_namespace_has_what_its_maker_lacks()
    {
        Plans.Default(host: new Host.HostFacts { LastCapability = 40, Permitted = 0 }).Steps<CapabilitiesStep>()
            .Single().Sets.Permitted.Should().Be(0UL);
        LaunchPlan mapped = Plans.Default(
            c =>
            {
                c["mounts"]!.AsArray().RemoveAt(2); // devpts, with a group that is not mapped
                c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"user"}"""));
                foreach (string map in (string[])["uidMappings", "gidMappings"])
                    c["linux"]![map] = new System.Text.Json.Nodes.JsonArray(Plans.Json("""{"containerID":0,"hostID":1000,"size":1}"""));
            },
            new Host.HostFacts { LastCapability = 40, Permitted = 0, Uid = 1000, Gid = 1000 });
        (mapped.Steps<CapabilitiesStep>().Single().Sets.Permitted & KillBit).Should().Be(KillBit);
        mapped.Warnings.Should().BeEmpty();
        mapped.IdMaps!.DenySetgroups.Should().BeTrue("an ordinary user may write a gid map only after giving setgroups up");
    }

    private static ulong Bit(string name) => 1UL << CapabilityNames.Number(name);
}
