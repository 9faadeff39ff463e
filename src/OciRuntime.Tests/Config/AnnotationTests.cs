using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Annotations of crun's and runc's: each is honoured, refused, or said to have no effect (docs/annotations.md).</summary>
public sealed class AnnotationTests
{
    private const string FailUnknown = "run.oci.seccomp_fail_unknown_syscall";

    private static TestBundle WithUnknownCall()
    {
        TestBundle bundle = new TestBundle().Args("true");
        // The second is known, though not on this machine.
        bundle.Linux["seccomp"] = JsonNode.Parse("""
            {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["vhangup","spu_run"],"action":"SCMP_ACT_ERRNO"},{"names":["acct","no_such_call"],"action":"SCMP_ACT_ERRNO"}]}
            """);
        return bundle;
    }

    [TestCase("1")]
    [TestCase("true")]
    [TestCase("")]
    public void Unknown_system_calls_can_be_an_error(string value)
    {
        using TestBundle bundle = WithUnknownCall();
        bundle.Annotations[FailUnknown] = value;
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "/linux/seccomp/syscalls/1/names/1: unknown system call", $"/annotations/{FailUnknown}");
        bundle.Linux["seccomp"]!["syscalls"]!.AsArray().RemoveAt(1);
        container.Run().ShouldSucceed();
    }

    [TestCase("0")]
    [TestCase(null)]
    public void Or_are_left_out_with_a_warning(string? value)
    {
        using TestBundle bundle = WithUnknownCall();
        if (value is not null) bundle.Annotations[FailUnknown] = value;
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Stderr.Should().Contain("unknown names are left out: \\\"no_such_call\\\"");
    }

    [TestCase("run.oci.handler", "krun", "ocirun has no handlers")]
    [TestCase("run.oci.seccomp.plugins", "/plugin.so", "ocirun has no seccomp plugins")]
    [TestCase("run.oci.seccomp_bpf_data", "AAAA", "compiles its filters itself")]
    public void What_would_confine_the_container_otherwise_is_refused(string key, string value, string reason)
    {
        using TestBundle bundle = new TestBundle().Args("true");
        bundle.Annotations[key] = value;
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, $"/annotations/{key}: ", value, "cannot be honoured", reason);
        bundle.Annotations[key] = "";
        container.Run().ShouldSucceed();
    }

    [TestCase("run.oci.delegate-cgroup", "below")]
    [TestCase("run.oci.systemd.subgroup", "container")]
    [TestCase("run.oci.systemd.force_cgroup_v1", "/sys/fs/cgroup/systemd")]
    [TestCase("module.wasm.image/variant", "compat")]
    [TestCase("krun.cpus", "2")]
    public void What_has_no_effect_is_said(string key, string value)
    {
        using TestBundle bundle = new TestBundle().Args("true");
        bundle.Annotations[key] = value;
        using TestContainer container = new(bundle);
        container.GlobalOptions.AddRange(["--log-level", "warning"]);
        container.Run().ShouldSucceed().Stderr.Should().Contain($"/annotations/{key.Replace("/", "~1")}").And.Contain("has no effect");
    }

    [Test]
    public void Null_is_as_absent()
    {
        using TestBundle bundle = new TestBundle().Script("exec sleep 100");
        bundle.Annotations["a"] = "x";
        bundle.Annotations["run.oci.hooks.stdout"] = null;
        bundle.Annotations["org.systemd.property.TimeoutStopUSec"] = null;
        bundle.Annotations["null"] = null;
        bundle.Linux["sysctl"] = new JsonObject { ["kernel.msgmax"] = null, ["kernel.shmmni"] = "1234" };
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        container.StateJson["annotations"]!.AsObject().Select(member => member.Key).Should().Equal("a");
        container.Start().ShouldSucceed();
        container.Exec("cat", "/proc/sys/kernel/shmmni").ShouldSucceed().Text.Should().Be("1234");
    }
}
