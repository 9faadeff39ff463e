using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Rootless;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Exec;

/// <summary>Where an exec'd process is: in the namespaces, root and cgroups of the container's first process.</summary>
[LeavesNothing]
public sealed class ExecNamespaceTests
{
    private static readonly string[] Kinds = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"];
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End() => _bundle.Dispose();

    private static void ShouldBeInside(TestContainer container, params string[] options)
    {
        string script = string.Join("; ", Kinds.Select(kind => $"readlink /proc/self/ns/{kind}"));
        string[] links = container.ExecWith(options, "sh", "-c", script).ShouldSucceed().Lines;
        links.Should().Equal(Kinds.Select(kind => $"{kind}:[{container.NamespaceInode(kind)}]"));
        container.Exec("cat", "/proc/self/cgroup").ShouldSucceed().Stdout.Should().Be(container.Exec("cat", "/proc/1/cgroup").Stdout);
    }

    [TestCase(false)]
    [TestCase(true)]
    public void All_eight(bool userNamespace)
    {
        _bundle.AddNamespace("cgroup").AddNamespace("time");
        if (userNamespace) _bundle.WithUserNamespace();
        using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
        foreach (string kind in Kinds)
        {
            if (kind != "user" || userNamespace)
                container.NamespaceInode(kind).Should().NotBe(ProcessView.HostNamespaceInode(kind));
        }
        ShouldBeInside(container);
        container.Exec("sh", "-c", "id -u; cat /proc/self/uid_map").ShouldSucceed().Lines[0].Should().Be("0");
    }

    [TestCase("network")]
    [TestCase("ipc")]
    [TestCase("uts")]
    [TestCase("pid")]
    public void Those_of_the_host_are_shared(string type)
    {
        if (type == "uts") _bundle.Config.Remove("hostname");
        using TestContainer container = Observe.Sleeping(_bundle.RemoveNamespace(type).WithCgroup());
        string file = Array.Find(NamespaceTests.All, pair => pair.Type == type).File;
        container.Exec("readlink", $"/proc/self/ns/{file}").ShouldSucceed().Text.Should()
            .Be($"{file}:[{ProcessView.HostNamespaceInode(file)}]");
        container.Exec("sh", "-c", "exit 9").ExitCode.Should().Be(9);
    }

    /// <summary>Without a mount namespace the container has only a root of its own.</summary>
    [Test]
    public void Root_without_a_mount_namespace()
    {
        _bundle.RemoveNamespace("mount").Config.Remove("mounts");
        foreach (string list in (string[])["maskedPaths", "readonlyPaths"]) _bundle.Linux.Remove(list);
        _bundle.Writable();
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Exec("ls", "/bin/busybox").ShouldSucceed();
        container.Exec("ls", _bundle.Rootfs).ShouldFail();
    }

    [Test]
    public void Moved_root()
    {
        using TestContainer container = Observe.Sleeping(_bundle, "--no-pivot");
        container.Exec("sh", "-c", "ls /bin/busybox && test ! -e " + _bundle.Rootfs).ShouldSucceed();
        ShouldBeInside(container);
    }

    [Test]
    public void User_namespace_with_limits_and_another_user()
    {
        _bundle.WithUserNamespace().Process["rlimits"] = new System.Text.Json.Nodes.JsonArray(
            new System.Text.Json.Nodes.JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = 64, ["hard"] = 77 });
        using TestContainer container = Observe.Sleeping(_bundle);
        string pidFile = TestRun.NewPath("pids");
        container.ExecWith(["-d", "--pid-file", pidFile, "-u", "1000:1000"], "sleep", "100").ShouldSucceed();
        ProcessView process = new(int.Parse(File.ReadAllText(pidFile)));
        File.Delete(pidFile);
        process.Status("Uid").Should().StartWith("101000\t");
        process.Limit("Max open files").Should().Be(("64", "77"));
        process.Status("CapBnd").Should().Be(container.Init.Status("CapBnd"));
        process.Status("NSpid").Split('\t').Should().HaveCount(2);
    }

    [Test]
    public void Cgroup_below_the_containers()
    {
        Requires.V1Controller("pids");
        using TestContainer container = Observe.Sleeping(_bundle.WithCgroup());
        string pids = container.Init.CgroupDirectory("pids");
        string own = container.Init.Cgroups.First(c => c.Controllers.Contains("pids")).Path;
        Directory.CreateDirectory($"{pids}/sub");
        string Pids(string cgroup)
        {
            string pidFile = TestRun.NewPath("pids");
            container.ExecWith(["--cgroup", cgroup, "-d", "--pid-file", pidFile], "sleep", "100").ShouldSucceed();
            int pid = int.Parse(File.ReadAllText(pidFile));
            string path = new ProcessView(pid).Cgroups.First(c => c.Controllers.Contains("pids")).Path;
            new ProcessView(pid).Cgroups.First(c => c.Controllers.Contains("memory")).Path.Should().NotEndWith("/sub");
            _ = Syscall.kill(pid, Signum.SIGKILL);
            Children.Wait(pid, TimeSpan.FromSeconds(5));
            File.Delete(pidFile);
            return path;
        }
        Pids("pids:sub").Should().Be($"{own}/sub");
        Pids("/").Should().Be(own);
        container.ExecWith(["--cgroup", "nothing"], "true").ShouldFail(255, "/nothing: no such file or directory");
        container.ExecWith(["--cgroup", "pids:../.."], "true").ShouldFail(255, "has a component");
        // Others that are mended before they are looked up: runc 1.5.1 compared the beginning of the result, which a sibling may share.
        string sibling = $"{pids}-evil", name = Path.GetFileName(sibling);
        Directory.CreateDirectory(sibling);
        foreach (string path in (string[])[$"../{name}", $"sub/../../{name}", $"/../{name}", $"./sub/./..//../{name}", "sub/.."])
        {
            container.ExecWith(["--cgroup", $"pids:{path}"], "cat", "/proc/self/cgroup").ShouldFail(255, "has a component")
                .Stdout.Should().BeEmpty();
        }
        foreach (string path in (string[])["-evil", $"/{name}", $"{own}-evil"])
            container.ExecWith(["--cgroup", $"pids:{path}"], "true").ShouldFail(255, "no such file or directory");
        Directory.Delete(sibling);
        container.ExecWith(["--cgroup", "pids:a", "--cgroup", "pids:b"], "true")
            .ShouldFail(255, "controller pids specified multiple times");
        container.ExecWith(["--cgroup", ":a"], "true").ShouldFail(255, "empty <controller> prefix");
        container.ExecWith(["--cgroup", "a", "--cgroup", "b"], "true").ShouldFail(255, "missing <controller>: prefix");
        container.ExecWith(["--cgroup", "nope:a"], "true").ShouldFail(255, "controller nope");
        Directory.Delete($"{pids}/sub");
    }

    [Test]
    public void An_ordinary_users_container()
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user.Bundle();
        using TestContainer container = user.Container(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        ShouldBeInside(container);
        container.Start().ShouldSucceed();
        container.WaitStatus("running");
        ShouldBeInside(container);
        container.Exec("sh", "-c", "id -u; echo $$ >&2; exit 4").ExitCode.Should().Be(4);
        container.ExecWith(["-g", "5"], "true").ShouldFail(255, "cannot set any additional groups");
    }
}
