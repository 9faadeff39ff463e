using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Default devices and `linux.devices`, inside and as the device cgroup has it.</summary>
public sealed class DeviceTests
{
    private static TestBundle Device(TestBundle bundle, string json)
    {
        bundle.Linux["devices"] ??= new JsonArray();
        bundle.Linux["devices"]!.AsArray().Add(JsonNode.Parse(json));
        return bundle;
    }

    [Test]
    public void Default_devices_and_links()
    {
        using TestBundle bundle = new();
        string[] devices = Observe.Run(bundle,
            Observe.Stat("%n %F %t:%T %a %u:%g", "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty")
            + "; for l in fd stdin stdout stderr ptmx; do readlink /dev/$l; done; ls /dev | grep -v core; stat -c %a /dev; test ! -e "
            + "/proc/kcore || readlink /dev/core");
        string[] expected =
        [
            "/dev/null character special file 1:3 666 0:0", "/dev/zero character special file 1:5 666 0:0",
            "/dev/full character special file 1:7 666 0:0",
            "/dev/random character special file 1:8 666 0:0", "/dev/urandom character special file 1:9 666 0:0",
            "/dev/tty character special file 5:0 666 0:0",
            "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2", "pts/ptmx",
            "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero", "755",
        ];
        devices.Should().Equal(File.Exists("/proc/kcore") ? [.. expected, "/proc/kcore"] : expected);
    }

    [Test]
    public void Default_devices_work()
    {
        using TestBundle bundle = new();
        Observe.Run(bundle,
            "head -c 4 /dev/zero | wc -c; head -c 4 /dev/urandom | wc -c; echo x >/dev/null && echo ok; echo x 2>&1 >/dev/full || echo "
            + "full; cat /dev/null | wc -c")
            .Should().Equal("4", "4", "ok", "sh: write error: No space left on device", "full", "0");
    }

    [Test]
    public void Listed_devices_have_their_type_number_mode_and_owner()
    {
        using TestBundle bundle = new();
        Device(bundle, """{ "type": "c", "path": "/dev/sub/char", "major": 10, "minor": 229, "fileMode": 432, "uid": 12, "gid": 34 }""");
        Device(bundle, """{ "type": "b", "path": "/dev/block", "major": 259, "minor": 70000, "fileMode": 25008 }""");
        Device(bundle, """{ "type": "u", "path": "/etc/unbuffered", "major": 1, "minor": 11 }""");
        Device(bundle, """{ "type": "p", "path": "/dev/fifo", "fileMode": 384, "gid": 5 }""");
        Device(bundle, """{ "type": "c", "path": "/dev/null", "major": 1, "minor": 3, "fileMode": 292, "uid": 7 }""");
        Device(bundle, """{ "type": "c", "path": "/dev/ptmx", "major": 5, "minor": 2 }""");
        Observe.Run(bundle, Observe.Stat("%F %t:%T %a %u:%g", "/dev/sub/char", "/dev/block", "/etc/unbuffered", "/dev/fifo", "/dev/null")
            + "; readlink /dev/ptmx").Should().Equal(
            "character special file a:e5 660 12:34", "block special file 103:11170 660 0:0", "character special file 1:b 666 0:0",
            "fifo 0:0 600 0:5",
            "character special file 1:3 444 7:0", "pts/ptmx");
    }

    [Test]
    public void A_different_file_in_the_way_is_an_error_and_the_same_device_is_taken_over()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/etc/here", "");
        Device(bundle, """{ "type": "c", "path": "/etc/here", "major": 1, "minor": 3 }""");
        Observe.Refused(bundle).Should()
            .Contain("/linux/devices/0").And.Contain("/etc/here").And.Contain("a different file is there already");
        File.Delete(bundle.InRootfs("/etc/here"));
        Command.Run("mknod", "-m", "600", bundle.InRootfs("/etc/here"), "c", "1", "3").ShouldSucceed();
        Observe.Run(bundle, Observe.Stat("%t:%T %a", "/etc/here")).Should().Equal("1:3 666");
    }

    /// <summary>In one component or in many, as short as a path can be to be too long, and much longer.</summary>
    [TestCase(4091, 1)]
    [TestCase(70000, 1)]
    [TestCase(2, 3000)]
    public void A_path_longer_than_the_kernels_is_refused(int component, int components)
    {
        using TestBundle bundle = new();
        string path = "/dev" + string.Concat(Enumerable.Repeat("/" + new string('a', component), components));
        Device(bundle, $$"""{ "type": "c", "path": "{{path}}", "major": 1, "minor": 3 }""");
        Observe.Refused(bundle).Should().Contain("/linux/devices/0: ").And.Contain("file name too long (ENAMETOOLONG)");
    }

    [Test]
    public void Device_rules_are_enforced()
    {
        Requires.V1Controller("devices");
        using TestBundle bundle = new();
        bundle.Capabilities("CAP_MKNOD").WithCgroup().Writable();
        bundle.Resources["devices"] =
            JsonNode.Parse(
            """[ { "allow": false, "access": "rwm" }, { "allow": true, "type": "c", "major": 1, "minor": 11, "access": "w" } ]""");
        string[] lines = Observe.Run(bundle, """
            cd /tmp; mknod kmsg c 1 11; mknod port c 1 4; mknod mem b 7 0; mknod full c 1 7
            for f in kmsg port mem full; do (dd if=$f of=/dev/null bs=1 count=0 2>/dev/null) && echo r $f; (: >>$f) 2>/dev/null && echo w $f; done; true
            """);
        // Opening is what the rule is about. Making nodes is allowed to all, as in every runtime.
        lines.Should().Equal("w kmsg", "r full", "w full");
    }

    [Test]
    public void In_a_user_namespace_the_hosts_nodes_are_bound()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace();
        Device(bundle, """{ "type": "c", "path": "/dev/kmsg", "major": 1, "minor": 11 }""");
        string[] lines = Observe.Run(bundle, Observe.Stat("%n %t:%T", "/dev/null", "/dev/zero", "/dev/tty", "/dev/kmsg")
            + "; echo x >/dev/null; head -c 3 /dev/zero | wc -c; readlink /dev/ptmx");
        lines.Should().Equal("/dev/null 1:3", "/dev/zero 1:5", "/dev/tty 5:0", "/dev/kmsg 1:b", "3", "pts/ptmx");
    }

    /// <summary>Whatever the host has at the path: the node is the container's own.</summary>
    [Test]
    public void In_a_user_namespace_listed_devices_have_their_number_mode_and_owner()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace();
        AddOwned(bundle);
        Observe.Run(bundle, Owned).Should().Equal(OwnedAsListed);
    }

    [Test]
    public void In_a_joined_user_namespace_too()
    {
        using TestBundle bundle = new();
        using TestContainer first = Observe.Sleeping(bundle.WithUserNamespace());
        using TestBundle second = new();
        second.AddNamespace("user", $"/proc/{first.InitPid}/ns/user");
        AddOwned(second);
        Observe.Run(second, Owned).Should().Equal(OwnedAsListed);
        Device(second, """{ "type": "c", "path": "/dev/x", "major": 1, "minor": 3, "gid": 70000 }""");
        Observe.Refused(second).Should().Contain("/linux/devices/6/gid: 70000: is not mapped in the container's user namespace");
    }

    [Test]
    public void In_a_user_namespace_an_owner_that_it_does_not_have_is_refused()
    {
        using TestBundle bundle = new();
        bundle.WithUserNamespace(size: 100);
        Device(bundle, """{ "type": "c", "path": "/dev/x", "major": 1, "minor": 3, "uid": 100 }""");
        Observe.Refused(bundle).Should().Contain("/linux/devices/0/uid: 100: is not mapped by /linux/uidMappings");
    }

    private const string Owned =
        "stat -c '%F %t:%T %a %u:%g' /dev/full /dev/mine /dev/sub/block /dev/plain /dev/null /dev/fifo; echo x 2>/dev/null >/dev/full || "
        + "echo full; chmod 600 /dev/mine && stat -c %a /dev/mine";

    private static readonly string[] OwnedAsListed =
    [
        "character special file 1:7 640 10:11", "character special file 1:5 4755 0:12", "block special file 7:c8 600 13:0",
        "character special file 1:9 666 0:0",
        "character special file 1:3 666 0:0", "fifo 0:0 606 3:4", "full", "600",
    ];

    private static void AddOwned(TestBundle bundle)
    {
        Device(bundle, """{ "type": "c", "path": "/dev/full", "major": 1, "minor": 7, "fileMode": 416, "uid": 10, "gid": 11 }""");
        Device(bundle, """{ "type": "c", "path": "/dev/mine", "major": 1, "minor": 5, "fileMode": 10733, "gid": 12 }""");
        Device(bundle, """{ "type": "b", "path": "/dev/sub/block", "major": 7, "minor": 200, "fileMode": 384, "uid": 13 }""");
        Device(bundle, """{ "type": "u", "path": "/dev/plain", "major": 1, "minor": 9 }""");
        Device(bundle, """{ "type": "c", "path": "/dev/null", "major": 1, "minor": 3 }""");
        Device(bundle, """{ "type": "p", "path": "/dev/fifo", "fileMode": 390, "uid": 3, "gid": 4 }""");
    }
}
