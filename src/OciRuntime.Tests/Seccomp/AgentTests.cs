using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>SCMP_ACT_NOTIFY: the listener reaches the agent, whose answers the container's calls get.</summary>
[LeavesNothing]
[TestFixture(false)]
[TestFixture(true)]
public sealed class AgentTests(bool noNewPrivileges)
{
    private const int Mkdir = 83, Read = 0, EDQUOT = 122;

    private TestBundle New(AgentSocket agent, params string[] names)
    {
        TestBundle bundle = new TestBundle().Script("mkdir /tmp/x").NoNewPrivileges(noNewPrivileges).Writable().Seccomp("SCMP_ACT_ALLOW")
            .Rule("SCMP_ACT_NOTIFY", names);
        bundle.Linux["seccomp"]!["listenerPath"] = agent.Path;
        bundle.Linux["seccomp"]!["listenerMetadata"] = "some \"text\"";
        return bundle;
    }

    [Test]
    public void Agent_gets_the_state_and_decides()
    {
        using AgentSocket agent = new(static _ => EDQUOT);
        using TestBundle bundle = New(agent, "mkdir");
        bundle.Annotations["a"] = "b";
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        Eventually.True(() => agent.State is not null, "the agent has read what it got");
        // Sent while the container was created, in the form that the specification has.
        JsonObject state = agent.State!;
        state["fds"]!.ToJsonString().Should().Be("""["seccompFd"]""");
        state["metadata"]!.GetValue<string>().Should().Be("some \"text\"");
        state["pid"]!.GetValue<int>().Should().Be(container.InitPid);
        state["ociVersion"].Should().NotBeNull();
        state["state"]!["status"]!.GetValue<string>().Should().Be("creating");
        state["state"]!["id"]!.GetValue<string>().Should().Be(container.Id);
        state["state"]!["bundle"]!.GetValue<string>().Should().Be(bundle.Directory);
        state["state"]!["annotations"]!["a"]!.GetValue<string>().Should().Be("b");
        container.Start().ShouldSucceed();
        container.WaitExit().Code.Should().Be(1);
        container.ErrorOutput.Should().Contain("Disk quota exceeded");
        agent.Calls.Should().Contain(Mkdir);
    }

    [Test]
    public void Calls_that_init_itself_makes_can_be_held_back()
    {
        // All but write, by which init tells its listener's number, go through the agent, read(2) for the answer to it among them.
        using AgentSocket agent = new(static _ => 0);
        using TestBundle bundle = New(agent, "read", "close", "sendmsg", "recvmsg", "accept4", "prctl", "execve", "statx");
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        int pid = container.InitPid;
        container.Start().ShouldSucceed();
        container.WaitExit().Code.Should().Be(0, "pid {0}", pid);
        agent.Calls.Should().Contain(Read);
    }

    /// <summary>crun's ways to name the agent of a profile that does not.</summary>
    [TestCase("annotation")]
    [TestCase("variable")]
    [TestCase("both")]
    public void Annotation_or_variable_stands_for_a_missing_path(string way)
    {
        using AgentSocket agent = new(static _ => EDQUOT);
        using TestBundle bundle = New(agent, "mkdir");
        bundle.Linux["seccomp"]!.AsObject().Remove("listenerPath");
        if (way != "variable") bundle.Annotations["run.oci.seccomp.receiver"] = agent.Path;
        using TestContainer container = new(bundle);
        if (way != "annotation")
        {
            container.Options =
                new() { Env = new Dictionary<string, string?> { ["RUN_OCI_SECCOMP_RECEIVER"] = way == "both" ? "/nowhere" : agent.Path } };
        }
        container.Create().ShouldSucceed();
        container.InitPid.Should().BePositive("it is what WaitExit waits for");
        container.Start().ShouldSucceed();
        container.WaitExit().Code.Should().Be(1);
        agent.Calls.Should().Contain(Mkdir);
    }

    [Test]
    public void Who_named_an_agent_that_is_not_there_is_told()
    {
        using AgentSocket agent = new(static _ => 0);
        using TestBundle bundle = New(agent, "mkdir");
        bundle.Linux["seccomp"]!.AsObject().Remove("listenerPath");
        using TestContainer container = new(bundle);
        container.Create().ShouldFail(1, "/linux/seccomp/listenerPath: is required by SCMP_ACT_NOTIFY");
        bundle.Annotations["run.oci.seccomp.receiver"] = "/nowhere/agent";
        container.Create().ShouldFail(1, "/annotations/run.oci.seccomp.receiver: /nowhere/agent: no such file or directory (ENOENT)");
        bundle.Annotations.Remove("run.oci.seccomp.receiver");
        container.Options = new() { Env = new Dictionary<string, string?> { ["RUN_OCI_SECCOMP_RECEIVER"] = "relative" } };
        container.Create().ShouldFail(1, "RUN_OCI_SECCOMP_RECEIVER=relative: must be an absolute path");
    }

    [Test]
    public void Agent_that_is_not_there_fails_the_launch()
    {
        using AgentSocket agent = new(static _ => 0);
        using TestBundle bundle = New(agent, "mkdir");
        bundle.Linux["seccomp"]!["listenerPath"] = "/run/ocirun-test-no-agent.sock";
        using TestContainer container = new(bundle);
        container.Create().ShouldFail(1, "/linux/seccomp/listenerPath: /run/ocirun-test-no-agent.sock: no such file or directory (ENOENT)");
    }
}
