using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>File systems of which there is one only: on the test host a mistake would be made in that host's /dev.</content>
public sealed partial class PlainTests
{
    private const string Compared = """
        mkdir -p /dev/pts /dev/shm /dev/mqueue
        list() { find /dev -xdev | sort | xargs stat -c '%n %F %t:%T %a %u:%g %i'; grep -e devtmpfs -e debugfs /proc/mounts; }
        before=$(list)
        ocirun run $id 2>&1
        [ "$before" = "$(list)" ] && echo same || list
        """;

    private void AddDeviceChecks()
    {
        _vm.Add(nameof(The_hosts_dev_stays_as_it_is),
            bundle => HostDev(bundle, """[{"type":"c","path":"/dev/null","major":1,"minor":3,"fileMode":384,"uid":12}]""")
            .Script("exec 3<>/dev/ptmx; ls /dev/pts; echo x >/dev/null && stat -c %a:%u /dev/null"), Compared);
        _vm.Add(nameof(With_a_terminal_too), bundle => HostDev(bundle, "[]").Terminal().Script("tty; stat -c %F /dev/console"), Compared);
        _vm.Add(nameof(No_device_is_made_in_it),
            bundle => HostDev(bundle, """[{"type":"c","path":"/dev/fuse2","major":10,"minor":229}]"""), Compared);
        _vm.Add(nameof(No_mount_point_is_made_in_it),
            bundle => HostDev(bundle, "[]").AddMount("/dev/sub/here", "tmpfs", "tmpfs"), Compared);
        _vm.Add(nameof(No_option_of_it_is_changed),
            bundle => HostDev(bundle, "[]").AddMount("/dev", null, null, "remount", "size=1m"), Compared);
        _vm.Add(nameof(Debugfs_keeps_its_options), bundle => bundle.AddMount("/debug", "debugfs", "debugfs", "uid=5", "mode=777", "sync")
            .Args("true"), $"mount -t debugfs debugfs /sys/kernel/debug\n{Compared}\numount /sys/kernel/debug");
        _vm.Add(nameof(No_cgroup_is_made_for_a_mount), bundle => bundle.Writable().RemoveMount("/sys/fs/cgroup").AddNamespace("cgroup")
            .AddMount("/sys/fs/cgroup", "cgroup", "cgroup").AddMount("/sys/fs/cgroup/sub", "tmpfs", "tmpfs"), "ocirun run $id 2>&1");
    }

    private static TestBundle HostDev(TestBundle bundle, string devices)
    {
        bundle.Mounts.Single(mount => mount!["destination"]!.GetValue<string>() == "/dev")!["type"] = "devtmpfs";
        bundle.Linux["devices"] = JsonNode.Parse(devices);
        return bundle;
    }

    [Test]
    public void The_hosts_dev_stays_as_it_is() => _vm.Result().ShouldSucceed().Lines.Should().ContainInOrder("0", "ptmx", "666:0", "same");

    [Test]
    public void With_a_terminal_too() =>
    _vm.Result().ShouldSucceed().Lines.Select(line => line.Trim()).Should().ContainInOrder("/dev/pts/0", "character special file", "same");

    [Test]
    public void No_device_is_made_in_it() =>
    HasRefused("/linux/devices/0: make the device /dev/fuse2 (c 10:229, mode 0666): it would have to be made or changed in a file system "
    + "of which there is only the host's");

    [Test]
    public void No_mount_point_is_made_in_it() =>
    HasRefused("/mounts/7: mount tmpfs on /dev/sub/here: it would have to be made or changed in a file system of which there is only the "
    + "host's: operation not permitted (EPERM)");

    [Test]
    public void No_option_of_it_is_changed() =>
    HasRefused("/mounts/7: reconfigure the file system of /dev (size=1m): it would have to be made or changed in a file system of which "
    + "there is only the host's");

    [Test]
    public void Debugfs_keeps_its_options() => _vm.Result().ShouldSucceed().Lines.Should().Contain("same");

    [Test]
    public void No_cgroup_is_made_for_a_mount() =>
    _vm.Result().Stdout.Should()
    .Contain("/mounts/7: mount tmpfs on /sys/fs/cgroup/sub: it would have to be made or changed in a file system of which there is only "
    + "the host's");

    private void HasRefused(string message, [System.Runtime.CompilerServices.CallerMemberName] string name = "")
    {
        CommandResult result = _vm.Result(name).ShouldSucceed();
        result.Stdout.Should().Contain(message);
        result.Lines.Should().Contain("same");
    }
}
