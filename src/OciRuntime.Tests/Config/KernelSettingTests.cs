using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`hostname`, `domainname`, `linux.sysctl`, `annotations`.</summary>
public sealed class KernelSettingTests
{
    [Test]
    public void Host_and_domain_name_are_the_containers_alone()
    {
        using TestBundle bundle = new();
        string host = Environment.MachineName;
        bundle.Config["hostname"] = "a-name";
        bundle.Config["domainname"] = "example.org";
        Observe.Run(bundle, "hostname; cat /proc/sys/kernel/hostname /proc/sys/kernel/domainname").Should()
            .Equal("a-name", "a-name", "example.org");
        Environment.MachineName.Should().Be(host);
    }

    [Test]
    public void Sysctls_of_own_namespaces_in_both_spellings([Values] bool user, [Values] bool noPivot)
    {
        using TestBundle bundle = new();
        if (user) bundle.WithUserNamespace();
        bundle.Linux["sysctl"] = new JsonObject
        {
            ["net.ipv4.ip_forward"] = "1",
            ["net/ipv4/conf/lo/forwarding"] = "1",
            ["net.core.somaxconn"] = "321",
            ["kernel.msgmax"] = "9999",
            ["kernel.shm_rmid_forced"] = "1",
            ["kernel.sem"] = "32000 1024000000 500 31999",
            ["fs.mqueue.msg_max"] = "77",
        };
        string before = File.ReadAllText("/proc/sys/kernel/msgmax");
        // /proc/sys is read-only in the container: that must not stop the runtime.
        string[] lines =
            Observe.Run(bundle,
            "cd /proc/sys; cat net/ipv4/ip_forward net/ipv4/conf/lo/forwarding net/core/somaxconn kernel/msgmax kernel/shm_rmid_forced "
            + "kernel/sem fs/mqueue/msg_max; echo 5 2>/dev/null >kernel/msgmax || echo ro",
            noPivot ? ["--no-pivot"] : []);
        lines.Should().Equal("1", "1", "321", "9999", "1", "32000\t1024000000\t500\t31999", "77", "ro");
        File.ReadAllText("/proc/sys/kernel/msgmax").Should().Be(before);
    }

    [Test]
    public void Sysctls_do_not_need_a_proc_in_the_container()
    {
        using TestBundle bundle = new();
        bundle.RemoveMount("/proc").Linux["sysctl"] = new JsonObject { ["kernel.msgmax"] = "4321" };
        using TestContainer container = Observe.Sleeping(bundle);
        Command.Run("nsenter", $"--ipc=/proc/{container.InitPid}/ns/ipc", "cat", "/proc/sys/kernel/msgmax").Text.Should().Be("4321");
    }

    [Test]
    public void Sysctl_user_limits_in_a_user_namespace()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace().Linux["sysctl"] = new JsonObject { ["user.max_net_namespaces"] = "3" };
        Observe.Run(bundle, "cat /proc/sys/user/max_net_namespaces").Should().Equal("3");
    }

    [TestCase("kernel.pid_max", "network", "is not in a separate kernel namespace")]
    [TestCase("vm.swappiness", "network", "is not in a separate kernel namespace")]
    [TestCase("net.core.somaxconn", "network", "needs a network namespace")]
    [TestCase("kernel.msgmax", "ipc", "needs an ipc namespace")]
    [TestCase("fs.mqueue.msg_max", "ipc", "needs an ipc namespace")]
    [TestCase("kernel.hostname", "ipc", "must be set with hostname instead")]
    [TestCase("user.max_net_namespaces", "ipc", "needs a user namespace")]
    [TestCase("net.../../kernel.pid_max", "ipc", "must be the name of a kernel parameter")]
    public void Sysctls_of_the_host_are_refused(string key, string without, string words)
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace(without).Linux["sysctl"] = new JsonObject { [key] = "5" };
        Observe.Refused(bundle).Should().Contain("/linux/sysctl/" + key.Replace("/", "~1")).And.Contain(words);
    }

    [Test]
    public void A_sysctl_that_the_kernel_refuses_is_named()
    {
        using TestBundle bundle = new();
        bundle.Linux["sysctl"] = new JsonObject { ["net.ipv4.ip_forward"] = "many" };
        Observe.Refused(bundle).Should().Contain("/linux/sysctl/net.ipv4.ip_forward").And.Contain("many").And.Contain("EINVAL");
        bundle.Linux["sysctl"] = new JsonObject { ["net.no.such"] = "1" };
        Observe.Refused(bundle).Should().Contain("/linux/sysctl/net.no.such").And.Contain("ENOENT");
    }

    [Test]
    public void Annotations_are_in_the_state()
    {
        using TestBundle bundle = new();
        bundle.Annotations["org.example.key"] = "value with \"quotes\" and ünïcode";
        bundle.Annotations["empty"] = "";
        using TestContainer container = Observe.Sleeping(bundle);
        JsonObject annotations = container.StateJson["annotations"]!.AsObject();
        annotations["org.example.key"]!.GetValue<string>().Should().Be("value with \"quotes\" and ünïcode");
        annotations["empty"]!.GetValue<string>().Should().BeEmpty();
    }
}
