using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`linux.namespaces` with a path: the second container of a pod.</summary>
public sealed class NamespaceJoinTests
{
    private TestBundle _firstBundle = null!, _bundle = null!;

    [SetUp]
    public void Begin()
    {
        _firstBundle = new TestBundle();
        _bundle = new TestBundle();
    }

    [TearDown]
    public void End()
    {
        _bundle.Dispose();
        _firstBundle.Dispose();
    }

    private static string FileOf(string type) => Array.Find(NamespaceTests.All, pair => pair.Type == type).File;

    private void Join(TestContainer first, params string[] types)
    {
        foreach (string type in types)
        {
            _bundle.AddNamespace(type, $"/proc/{first.InitPid}/ns/{FileOf(type)}");
            // What the namespace's owner has set is not this container's to set again.
            if (type == "uts") _bundle.Config.Remove("hostname");
        }
    }

    private static void SameOnly(TestContainer first, TestContainer second, params string[] types)
    {
        foreach ((string type, string file) in NamespaceTests.All)
        {
            if (types.Contains(type)) second.NamespaceInode(file).Should().Be(first.NamespaceInode(file), type);
            else if (type is not ("user" or "cgroup" or "time"))
                second.NamespaceInode(file).Should().NotBe(first.NamespaceInode(file), type);
        }
        ProcessTree.ChildrenOf(Environment.ProcessId).Should().Contain(second.InitPid);
    }

    [TestCase("pid")]
    [TestCase("network")]
    [TestCase("ipc")]
    [TestCase("uts")]
    [TestCase("cgroup")]
    [TestCase("time")]
    [TestCase("pid", "network", "ipc", "uts", "cgroup", "time")]
    public void Without_user_namespaces(params string[] types)
    {
        _firstBundle.AddNamespace("cgroup").AddNamespace("time");
        using TestContainer first = Observe.Sleeping(_firstBundle);
        Join(first, types);
        using TestContainer second = Observe.Sleeping(_bundle);
        SameOnly(first, second, types);
        second.Init.Status("NSpid").Split('\t')[^1].Should().Be(types.Contains("pid") ? "2" : "1");
    }

    [Test]
    public void A_mount_namespace_is_joined_and_the_container_has_its_own_root_in_it()
    {
        // Held by a process whose tree is the host's: in the first container's the bundle would not be found.
        using RunningCommand holder = Command.Start("unshare", "--mount", "sh", "-c", "echo in; exec sleep 1000");
        Eventually.True(() => holder.Stdout == "in\n", "the namespace exists");
        _bundle.AddNamespace("mount", $"/proc/{holder.Pid}/ns/mnt");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.NamespaceInode("mnt").Should().Be(new ProcessView(holder.Pid).NamespaceInode("mnt"));
        File.Exists(container.Init.InRoot("/bin/busybox")).Should().BeTrue();
        container.Init.MountAt("/proc").Type.Should().Be("proc");
    }

    [TestCase("user")]
    [TestCase("user", "pid")]
    [TestCase("user", "network")]
    [TestCase("user", "network", "ipc", "uts")]
    [TestCase("user", "pid", "network", "ipc", "uts", "time")]
    public void With_the_first_ones_user_namespace(params string[] types)
    {
        _firstBundle.WithUserNamespace().AddNamespace("time");
        using TestContainer first = Observe.Sleeping(_firstBundle);
        Join(first, types);
        // All of the default mounts succeed only when the new namespaces belong to the joined user namespace.
        using TestContainer second = Observe.Sleeping(_bundle);
        SameOnly(first, second, types);
        second.Init.Status("Uid").Should().StartWith("100000\t");
        second.Init.Status("NSpid").Split('\t')[^1].Should().Be(types.Contains("pid") ? "2" : "1");
        second.Init.Status("PPid").Should().Be(Environment.ProcessId.ToString(), "the process in the middle is gone");
    }

    [Test]
    public void A_joined_user_namespace_with_a_new_time_namespace()
    {
        Requires.Namespace("time");
        using TestContainer first = Observe.Sleeping(_firstBundle.WithUserNamespace());
        Join(first, "user");
        _bundle.AddNamespace("time").AddNamespace("cgroup").Linux["timeOffsets"] = JsonNode.Parse("""{ "monotonic": { "secs": 77 } }""");
        using TestContainer second = Observe.Sleeping(_bundle);
        NamespaceTests.Words(second.Proc("timens_offsets")).Should().Be("monotonic 77 0 boottime 0 0");
        second.NamespaceInode("user").Should().Be(first.NamespaceInode("user"));
    }

    [TestCase("network")]
    [TestCase("pid")]
    [TestCase("network", "pid", "ipc", "uts")]
    public void A_new_user_namespace_with_joined_ones_of_the_host(params string[] types)
    {
        using TestContainer first = Observe.Sleeping(_firstBundle);
        Join(first, types);
        _bundle.WithUserNamespace();
        if (types.Contains("ipc")) _bundle.RemoveMount("/dev/mqueue");
        // procfs belongs to its pid namespace: whoever joins one that is the host's cannot mount it, nor may it be mounted here.
        if (types.Contains("pid")) _bundle.RemoveMount("/proc").AddMount("/proc", "bind", "/proc", "rbind");
        _bundle.Linux.Remove("maskedPaths");
        _bundle.Linux.Remove("readonlyPaths");
        using TestContainer second = Observe.Sleeping(_bundle);
        SameOnly(first, second, types);
        second.NamespaceInode("user").Should().NotBe(ProcessView.HostNamespaceInode("user"));
        second.Init.Status("Uid").Should().StartWith("100000\t");
    }

    [Test]
    public void Processes_of_a_joined_pid_namespace_end_with_kill_all()
    {
        using TestContainer first = Observe.Sleeping(_firstBundle);
        Join(first, "pid");
        using TestContainer second = new(_bundle.Script("sleep 1000 & sleep 1001 & wait").WithCgroup());
        second.Create().ShouldSucceed();
        second.Start().ShouldSucceed();
        Eventually.True(() => ProcessTree.ChildrenOf(second.InitPid).Count == 2, "two children");
        int[] children = [.. ProcessTree.ChildrenOf(second.InitPid)];
        second.Kill("KILL").ShouldSucceed();
        second.WaitExit().Signal.Should().Be(9);
        children.Should().OnlyContain(pid => Eventually.Becomes(() => !ProcessTree.IsAlive(pid), TimeSpan.FromSeconds(5)));
        first.Status.Should().Be("running");
    }

    [Test]
    public void A_path_that_is_missing_or_of_another_type_is_named()
    {
        _bundle.AddNamespace("network", "/no/such/ns");
        Observe.Refused(_bundle).Should().Contain("/linux/namespaces/4/path /no/such/ns").And.Contain("no such file or directory");
        _bundle.AddNamespace("network", "/proc/self/ns/uts");
        Observe.Refused(_bundle).Should().Contain("/linux/namespaces").And.Contain("/proc/self/ns/uts").And.Contain("EINVAL");
        _bundle.AddNamespace("network", "/etc/passwd");
        Observe.Refused(_bundle).Should().Contain("/linux/namespaces").And.Contain("/etc/passwd").And.Contain("EINVAL");
        _bundle.RemoveNamespace("network").AddNamespace("pid", "/proc/self/ns/net");
        Observe.Refused(_bundle).Should().Contain("/linux/namespaces").And.Contain("/proc/self/ns/net").And.Contain("invalid argument");
    }

    [Test]
    public void Settings_that_would_change_the_host_through_a_path_are_refused()
    {
        _bundle.AddNamespace("uts", "/proc/self/ns/uts");
        Observe.Refused(_bundle, Wrapped.ExpendableHost).Should().Contain("/hostname: would change the host");
        _bundle.Config.Remove("hostname");
        _bundle.AddNamespace("network", "/proc/self/ns/net").Linux["sysctl"] = new JsonObject { ["net.core.somaxconn"] = "99" };
        Observe.Refused(_bundle, Wrapped.ExpendableHost).Should().Contain("/linux/sysctl/net.core.somaxconn: would change the host");
    }
}
