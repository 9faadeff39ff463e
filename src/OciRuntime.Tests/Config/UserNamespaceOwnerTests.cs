using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Whom the things belong to that are made for a container with a user namespace.</summary>
public sealed class UserNamespaceOwnerTests
{
    // The kernel's own files (/proc and /sys themselves, the host's devices) are the initial root's in every runtime.
    private const string Made =
        "/dev /dev/pts /dev/pts/ptmx /dev/shm /dev/mqueue /dev/fd /dev/ptmx /made /made/tmpfs /sys/class/net/lo/ifalias "
        + "/sys/class/net/lo/queues/tx-0/xps_rxqs"
        + " /sys/devices/virtual/net/lo /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmax /proc/sys/fs/mqueue/msg_max /sys/firmware "
        + "/cwd";

    private static TestBundle Bundle()
    {
        TestBundle bundle = new TestBundle().Writable().WithUserNamespace().AddMount("/made/tmpfs", "tmpfs", "tmpfs");
        bundle.Process["cwd"] = "/cwd";
        bundle.Linux["maskedPaths"] = TestBundle.Strings("/sys/firmware");
        Command.Run("chown", "-Rh", "100000:100000", bundle.Rootfs).ShouldSucceed();
        return bundle;
    }

    [Test]
    public void What_is_made_belongs_to_the_containers_root()
    {
        using TestBundle bundle = Bundle();
        Owners(bundle).Should().Equal(All("0:0"));
    }

    /// <summary>The queues are the kernel's to make, once for the namespace: chmod of their root takes being its owner.</summary>
    [Test]
    public void The_queues_can_be_given_another_mode()
    {
        using TestBundle bundle = Bundle();
        Observe.Run(bundle.Capabilities(), "chmod 700 /dev/mqueue && stat -c %a /dev/mqueue").Should().Equal("700");
    }

    [Test]
    public void In_a_joined_user_namespace_too()
    {
        using TestBundle first = Bundle(), second = Bundle();
        using TestContainer holder = Observe.Sleeping(first);
        second.AddNamespace("user", $"/proc/{holder.InitPid}/ns/user");
        second.Linux.Remove("uidMappings");
        second.Linux.Remove("gidMappings");
        Owners(second).Should().Equal(All("0:0"));
    }

    [Test]
    public void With_a_joined_namespace_beside_a_new_user_namespace_too()
    {
        using TestBundle first = Bundle(), second = Bundle();
        using TestContainer holder = Observe.Sleeping(first);
        second.AddNamespace("uts", $"/proc/{holder.InitPid}/ns/uts").Config.Remove("hostname");
        Owners(second).Should().Equal(All("0:0"));
    }

    /// <summary>What the runtime does as the container's root it does as its user then.</summary>
    [TestCase(false)]
    [TestCase(true)]
    public void Without_uid_0_it_belongs_to_the_program(bool joined)
    {
        using TestBundle first = WithoutRoot(), second = WithoutRoot();
        using TestContainer? holder = joined ? Observe.Sleeping(first) : null;
        if (joined)
        {
            second.AddNamespace("user", $"/proc/{holder!.InitPid}/ns/user");
            second.Linux.Remove("uidMappings");
            second.Linux.Remove("gidMappings");
        }
        // The kernel gives these to uid 0 of the user namespace, or else to the initial root.
        string[] lines = Observe.Run(second, $"id -u; id -g; stat -c '%u:%g %n' {Made} | grep -v -e ' /sys' -e ' /proc' -e ' /dev/pts$'");
        lines.Should()
            .Equal(["1000", "1005", .. Made.Split(' ')
            .Where(path => !path.StartsWith("/sys") && !path.StartsWith("/proc") && path != "/dev/pts")
            .Select(path => $"1000:1005 {path}")]);
    }

    [Test]
    public void Without_uid_0_a_container_is_entered_and_gets_mounts()
    {
        using TestBundle bundle = WithoutRoot();
        using TestContainer container = Observe.Sleeping(bundle);
        container.Exec("sh", "-c", "id -u; id -g").ShouldSucceed().Lines.Should().Equal("1000", "1005");
        container.ExecWith(["--user", "1003:1004"], "sh", "-c", "id -u; id -g").ShouldSucceed().Lines.Should().Equal("1003", "1004");
        string list = Path.Combine(bundle.Directory, "mounts.json");
        File.WriteAllText(list, """[{"destination":"/made/later","type":"tmpfs","source":"tmpfs"}]""");
        container.Call("mounts", "add", container.Id, list).ShouldSucceed();
        container.Exec("stat", "-c", "%u:%g", "/made/later").ShouldSucceed().Text.Should().Be("1000:1005");
    }

    private static TestBundle WithoutRoot()
    {
        TestBundle bundle = Bundle().User(1000, 1005);
        bundle.Linux["uidMappings"] = new JsonArray(new JsonObject { ["containerID"] = 1000, ["hostID"] = 100000, ["size"] = 10 });
        bundle.Linux["gidMappings"] = bundle.Linux["uidMappings"]!.DeepClone();
        // Its group 5 does not exist there.
        return bundle.RemoveMount("/dev/pts").AddMount("/dev/pts", "devpts", "devpts", "newinstance", "ptmxmode=0666", "mode=0620");
    }

    private static string[] Owners(TestBundle bundle) => Observe.Run(bundle, $"stat -c '%u:%g %n' {Made}");

    private static IEnumerable<string> All(string owner) => Made.Split(' ').Select(path => $"{owner} {path}");
}
