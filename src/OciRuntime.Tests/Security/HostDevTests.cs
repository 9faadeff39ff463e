using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A root file system that comes with the host's /dev mounted in it, as for chroot(1): nothing is made, replaced or given away there. The
/// host's is a tmpfs in a mount namespace of its own; a devtmpfs, of which there is one for the whole machine, is tried in a virtual
/// machine (Vm.PlainTests).
/// </summary>
public sealed class HostDevTests
{
    private const string List = "cd $host && find . | sort | xargs stat -c '%n %F %t:%T %a %u:%g %i' && readlink ptmx fd";

    [Test]
    public void Nothing_is_changed_in_the_hosts_dev()
    {
        using TestBundle bundle = Bundle();
        string[] lines = Run(bundle, "ls -l /dev/null /dev/tty >/dev/null && echo ran");
        lines.Should().Contain("ran").And.Contain("same");
    }

    [Test]
    public void A_listed_device_that_is_there_is_left_as_it_is()
    {
        using TestBundle bundle = Bundle();
        Device(bundle, """{"type":"c","path":"/dev/dri/card","major":1,"minor":7,"fileMode":384,"uid":12}""");
        Device(bundle, """{"type":"c","path":"/dev/null","major":1,"minor":3,"fileMode":384,"uid":12}""");
        string[] lines = Run(bundle, "stat -c '%a %u' /dev/dri/card /dev/null");
        lines.Should().Contain("660 7").And.Contain("666 0").And.Contain("same");
    }

    [TestCase("""{"type":"c","path":"/dev/fuse","major":10,"minor":229}""",
        "/linux/devices/0: make the device /dev/fuse (c 10:229, mode 0666): it would have to be made or changed in a file system of which "
        + "there is only the host's")]
    [TestCase("""{"type":"c","path":"/dev/dri/other","major":1,"minor":7}""",
        "it would have to be made or changed in a file system of which there is only the host's")]
    [TestCase("""{"type":"c","path":"/dev/null","major":1,"minor":5}""", "a different file is there already")]
    public void A_listed_device_that_is_not_there_is_refused(string device, string message)
    {
        using TestBundle bundle = Bundle();
        Device(bundle, device);
        string[] lines = Run(bundle, "echo ran");
        string.Join('\n', lines).Should().Contain(message).And.NotContain("ran");
        lines.Should().Contain("same");
    }

    /// <summary>A volume from the host's /dev, below a /dev of the container's own.</summary>
    [Test]
    public void Nor_in_a_part_of_it_that_is_a_volume()
    {
        using TestBundle bundle = new();
        string host = Path.Combine(bundle.Directory, "host");
        bundle.AddMount("/dev/dri", null, $"{host}/dri", "bind");
        Device(bundle, """{"type":"c","path":"/dev/dri/card","major":1,"minor":7,"fileMode":384,"uid":12}""");
        Run(bundle, "stat -c '%a %u' /dev/dri/card").Should().Contain("660 7").And.Contain("same");
        Device(bundle, """{"type":"c","path":"/dev/dri/new","major":1,"minor":7}""");
        string.Join('\n', Run(bundle, "echo ran")).Should().Contain("/linux/devices/1").And.Contain("only the host's").And.Contain("same");
    }

    private static TestBundle Bundle()
    {
        TestBundle bundle = new TestBundle().Writable();
        foreach (string path in (string[])["/dev", "/dev/pts", "/dev/shm", "/dev/mqueue"]) bundle.RemoveMount(path);
        return bundle;
    }

    private static void Device(TestBundle bundle, string json)
    {
        bundle.Linux["devices"] ??= new JsonArray();
        bundle.Linux["devices"]!.AsArray().Add(JsonNode.Parse(json));
    }

    /// <summary>
    /// Runs the container where the host's /dev is a tmpfs with little in it, which is also at the root file system's dev unless a mount
    /// covers that.
    /// </summary>
    private static string[] Run(TestBundle bundle, string script)
    {
        bundle.Script(script).Save();
        string host = Path.Combine(bundle.Directory, "host"), state = TestRun.NewDirectory("state");
        Directory.CreateDirectory(host);
        Directory.CreateDirectory(bundle.InRootfs("dev"));
        CommandResult result = Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-c", $"""
            host={host}; exec 2>&1
            mount -t tmpfs none $host && cd $host && mkdir dri pts || exit
            mknod -m 666 null c 1 3; mknod -m 666 zero c 1 5; mknod -m 600 tty c 5 0; mknod -m 660 dri/card c 1 7; chown 7:8 dri/card; ln -s elsewhere ptmx; ln -s /proc/self/fd fd
            before=$({List})
            mount --bind $host {bundle.InRootfs("dev")} && mount --bind $host /dev || exit
            {Ocirun.Binary.Path} --root {state} run --bundle {bundle.Directory} {TestRun.Token}-{TestRun.NextNumber()}
            after=$({List})
            [ "$before" = "$after" ] && echo same || echo "$after"
            """);
        Directory.GetFileSystemEntries(state).Should().BeEmpty();
        Directory.Delete(state);
        return result.Lines;
    }
}
