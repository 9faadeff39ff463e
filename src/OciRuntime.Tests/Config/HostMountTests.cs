using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// A container without a mount namespace has the runtime's (runtime-spec config-linux.md, "Namespaces"): what is mounted for it is mounted
/// there, none of the host's mounts changes, and all of it goes with the container.
/// </summary>
public sealed class HostMountTests
{
    private static TestBundle Bundle() => new TestBundle().RemoveNamespace("mount").WithCgroup();

    /// <summary>The host's mounts, with all that could change of them.</summary>
    private static string[] Others(TestBundle bundle) =>
        [.. MountInfo.Of().Where(m => !Below(bundle, m))
        .Select(m => $"{m.Id} {m.ParentId} {m.Root} {m.MountPoint} {string.Join(',', m.Options)} {string.Join(',', m.Propagation)}")];

    private static bool Below(TestBundle bundle, MountInfo mount) =>
        mount.MountPoint == bundle.Rootfs || mount.MountPoint.StartsWith(bundle.Rootfs + "/", StringComparison.Ordinal);

    private static MountInfo[] Own(TestBundle bundle) => [.. MountInfo.Of().Where(m => Below(bundle, m))];

    [Test]
    public void Everything_of_the_configuration_works_and_goes_with_delete()
    {
        using TestBundle bundle = Bundle();
        string[] before = Others(bundle);
        using (TestContainer container = Observe.Sleeping(bundle))
        {
            container.NamespaceInode("mnt").Should().Be(ProcessView.HostNamespaceInode("mnt"));
            string see(string script) => container.Exec("sh", "-c", $"({script}) 2>&1; true").ShouldSucceed().Text;
            see("touch /new").Should().Contain("Read-only file system");
            see("echo x > /proc/sys/kernel/core_pattern").Should().Contain("Read-only file system");
            see("ls /sys/firmware; cat /proc/timer_list").Should().BeEmpty();
            see("ls /proc/1/cmdline && tr '\\0' ' ' </proc/1/cmdline").Should().Contain("sleep");
            see("touch /dev/shm/x && ls -l /dev/null /dev/shm/x").Should().Contain("1,   3").And.Contain("/dev/shm/x");
            Own(bundle)[0].MountPoint.Should().Be(bundle.Rootfs);
            Own(bundle).Should().Contain(m => m.MountPoint == bundle.InRootfs("proc") && m.Type == "proc");
            // Others may have mounts come and go meanwhile.
            Others(bundle).Should().Contain(before).And.NotContain(line => line.Contains(bundle.Directory, StringComparison.Ordinal));
            container.Delete("--force").ShouldSucceed();
            Own(bundle).Should().BeEmpty();
            Others(bundle).Should().Contain(before);
        }
        File.WriteAllText(bundle.InRootfs("writable"), "");
    }

    [Test]
    public void Run_takes_it_away_at_the_end()
    {
        using TestBundle bundle = Bundle();
        using TestContainer container = new(bundle.Script("cat /proc/self/mountinfo | wc -l; exit 3"));
        container.Run().ExitCode.Should().Be(3);
        Own(bundle).Should().BeEmpty();
    }

    [Test]
    public void A_create_that_fails_leaves_nothing([Values("program", "mount", "hook")] string what)
    {
        using TestBundle bundle = Bundle().Args(what == "program" ? "/no/such/program" : "true");
        if (what == "mount") bundle.AddMount("/proc/1", "tmpfs", "tmpfs");
        if (what == "hook") bundle.AddHook("createContainer", "/bin/false");
        using TestContainer container = new(bundle);
        container.Create().ShouldFail(1);
        Own(bundle).Should().BeEmpty();
    }

    /// <summary>
    /// While a hook runs, all is mounted: killed then, the runtime leaves it to whoever deletes the container, or takes the ID.
    /// </summary>
    [Test]
    public void A_create_that_is_killed_is_undone_by([Values("delete --force", "delete", "run")] string verb)
    {
        using TestBundle bundle = Bundle().Args("true");
        string mark = Path.Combine(bundle.Directory, "mark");
        bundle.AddHook("createRuntime", "/bin/sh", "-c", $"touch {mark}; exec sleep 100");
        using TestContainer container = new(bundle);
        using (RunningCommand create =
            Ocirun.Start(["--root", container.StateRoot, "create", "--bundle", bundle.Save().Directory, container.Id]))
        {
            Eventually.True(() => File.Exists(mark), "the hook runs");
            Own(bundle).Should().NotBeEmpty();
            create.Signal(9);
            create.Wait();
        }
        bundle.Config.Remove("hooks");
        if (verb == "run") container.Run().ShouldSucceed();
        else container.Call([.. verb.Split(' '), container.Id]).ShouldSucceed();
        Own(bundle).Should().BeEmpty();
    }

    /// <summary>
    /// An engine's overlay at the root file system, and its volumes below, are the engine's: seen by the container, left alone by delete.
    /// </summary>
    [Test]
    public void Mounts_that_were_there_stay()
    {
        using TestBundle bundle = Bundle();
        using Mounted mounted = new(bundle.Rootfs);
        File.WriteAllText($"{mounted.Below}/file", "volume");
        MountInfo[] before = Own(bundle);
        using (TestContainer container = Observe.Sleeping(bundle))
        {
            container.Exec("cat", "/volume/file").ShouldSucceed().Text.Should().Be("volume");
            container.Delete("--force").ShouldSucceed();
        }
        Own(bundle).Select(m => m.MountPoint).Should().Equal(before.Select(m => m.MountPoint));
        File.ReadAllText($"{mounted.Below}/file").Should().Be("volume");
    }

    /// <summary>
    /// Where the host's mounts are shared, as systemd has them: a mount on a volume of the container's must not appear on the volume's
    /// source.
    /// </summary>
    [Test]
    public void Nothing_spreads_where_the_hosts_mounts_are_shared()
    {
        using TestBundle bundle = Bundle();
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "source/inner")).Parent!.FullName,
            output = Path.Combine(bundle.Directory, "output");
        bundle.AddMount("/data", "bind", source, "rbind").AddMount("/data/inner", "tmpfs", "tmpfs");
        using TestContainer container = new(bundle.Args("sleep", "100"));
        bundle.Save();
        string runtime = $"{Ocirun.Binary.Path} --root {container.StateRoot}";
        // A second mount namespace that gets what spreads, as those of other containers do.
        string script = $"""
            mount --make-rshared /
            cat /proc/self/mountinfo > {output}.before
            exec 3>&1
            unshare --mount --propagation slave sh -c 'echo > {output}.ready; until test -e {output}.done; do sleep 0.02; done; cat /proc/self/mountinfo > {output}.other' &
            until test -e {output}.ready; do sleep 0.02; done
            {runtime} create --bundle {bundle.Directory} {container.Id} </dev/null >/dev/null
            cat /proc/self/mountinfo > {output}.during
            {runtime} delete --force {container.Id}
            cat /proc/self/mountinfo > {output}.after
            touch {output}.done
            wait
            """;
        Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec", script).ShouldSucceed();
        File.ReadAllText($"{output}.during").Should().Contain($" {bundle.InRootfs("data/inner")} ").And.NotContain($" {source}/inner ");
        File.ReadAllText($"{output}.after").Should().Be(File.ReadAllText($"{output}.before"));
        File.ReadAllText($"{output}.other").Should().NotContain(bundle.Rootfs);
    }

    [Test]
    public void The_hooks_see_it_at_the_bundles_path()
    {
        using TestBundle bundle = Bundle().Args("true");
        string output = Path.Combine(bundle.Directory, "hooks");
        foreach (string kind in (string[])["prestart", "createRuntime", "createContainer"])
            bundle.AddHook(kind, "/bin/sh", "-c", $"stat -f -c %T {bundle.Rootfs}/proc >> {output}");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        File.ReadAllText(output).Should().Be("proc\nproc\nproc\n");
    }

    [Test]
    public void A_terminal_too()
    {
        using TestBundle bundle = Bundle().Terminal().Args("tty");
        using TestContainer container = new(bundle);
        using ConsoleSocket socket = new();
        container.Create("--console-socket", socket.SocketPath).ShouldSucceed();
        Own(bundle).Should().Contain(m => m.MountPoint == bundle.InRootfs("dev/console"));
        container.Delete("--force").ShouldSucceed();
        Own(bundle).Should().BeEmpty();
    }

    /// <summary>Somebody's mount on top is not taken away with it, nor forgotten.</summary>
    [Test]
    public void What_covers_the_root_is_named()
    {
        using TestBundle bundle = Bundle();
        using TestContainer container = Observe.Sleeping(bundle);
        using (new Mounted(bundle.Rootfs, below: false))
        {
            container.Delete("--force").ShouldFail(1, "something else is mounted over it");
        }
        container.Delete("--force").ShouldSucceed();
        Own(bundle).Should().BeEmpty();
    }

    [TestCase("/mounts")]
    [TestCase("/root/readonly")]
    [TestCase("/linux/maskedPaths")]
    [TestCase("/linux/readonlyPaths")]
    public void In_a_user_namespace_it_cannot_be(string pointer)
    {
        using TestBundle bundle = new TestBundle().WithUserNamespace();
        bundle.RemoveNamespace("mount");
        Observe.Refused(bundle).Should().Contain($"{pointer}: ").And.Contain("a user namespace has no rights over the runtime's mounts");
    }

    [Test]
    public void Nor_over_the_hosts_root()
    {
        using TestBundle bundle = new();
        bundle.RemoveNamespace("mount");
        bundle.Config["root"] = new JsonObject { ["path"] = "/" };
        Observe.Refused(bundle).Should().Contain("would cover the host's own root");
    }

    [Test]
    public void Nor_saved()
    {
        using TestBundle bundle = Bundle();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Call("checkpoint", "--image-path", Path.Combine(bundle.Directory, "image"), container.Id)
            .ShouldFail(1, "a container without a mount namespace");
    }

    /// <summary>A bind over a directory, as an engine mounts a root file system, with a tmpfs below.</summary>
    private sealed class Mounted : IDisposable
    {
        private readonly string _path;

        internal Mounted(string path, bool below = true)
        {
            _path = path;
            if (below) Directory.CreateDirectory(Below);
            Command.Run("mount", "--bind", path, path).ShouldSucceed();
            Command.Run("mount", "--make-private", path).ShouldSucceed();
            if (below) Command.Run("mount", "-t", "tmpfs", "tmpfs", Below).ShouldSucceed();
        }

        internal string Below => $"{_path}/volume";

        public void Dispose() => Libc.Check(Libc.umount2(_path, Libc.MNT_DETACH), "umount");
    }
}
