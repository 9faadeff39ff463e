using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>A runtime inside a container of its own.</summary>
public sealed class NestedTests
{
    private static readonly string[] Capabilities =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_NET_ADMIN", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID",
        "CAP_SYS_ADMIN", "CAP_SYS_CHROOT",
    ];

    /// <summary>
    /// Root of a user namespace launches a plain bundle: cgroups are out of reach, devices are bound, and in the second case setgroups is
    /// denied.
    /// </summary>
    [Test]
    public void Root_of_a_user_namespace_is_root_enough([Values] bool ordinary)
    {
        using OrdinaryUser? user = ordinary ? OrdinaryUser.WithoutRanges() : null;
        using TestBundle inner = new();
        inner.RemoveMount("/dev/pts")
            .Script("id -u; hostname; cat /proc/self/uid_map; ls /proc | grep -c '^[0-9]'; echo x > /dev/null && echo null; ulimit -n")
            .Config["hostname"] = "inner";
        File.Copy(Ocirun.Binary.Path, Path.Combine(inner.Save().Directory, "ocirun"));
        using TestBundle outer = user?.Bundle() ?? new TestBundle().WithUserNamespace();
        // What covers parts of /proc would keep the kernel from showing all of it in another procfs (mount_too_revealing in
        // fs/namespace.c).
        outer.Linux.Remove("maskedPaths");
        outer.Linux.Remove("readonlyPaths");
        Directory.CreateDirectory(outer.InRootfs("inner"));
        outer.AddMount("/run", "tmpfs", "tmpfs").AddMount("/inner", null, inner.Directory, "rbind").Capabilities(Capabilities);
        outer.Script("/inner/ocirun --root /run/inner run --bundle /inner box; echo exit $?; ls /run/inner");
        using TestContainer container = user?.Container(outer) ?? new TestContainer(outer);
        CommandResult result = container.Run().ShouldSucceed();
        result.Lines.Should().HaveCount(7, "{0}", result);
        string[] lines = [.. result.Lines.Select(line => line.Trim())];
        lines[..2].Should().Equal(["0", "inner"], "{0}", result);
        lines[2].Split(' ', StringSplitOptions.RemoveEmptyEntries).Should()
            .Equal(ordinary ? ["0", $"{user!.Uid}", "1"] : ["0", "100000", "65536"], "no map was made inside");
        lines[4..].Should().Equal("null", "1024", "exit 0");
    }

    /// <summary>
    /// As with `podman run --pid=container:`: whoever joins a pid namespace from there may not come back to his own, but hooks run in it.
    /// </summary>
    [Test]
    public void Root_of_a_user_namespace_joins_a_pid_namespace()
    {
        using TestBundle bundle = new();
        string path = Path.Combine(bundle.Directory, "pidns"), seen = Path.Combine(bundle.Directory, "seen");
        File.WriteAllText(path, "");
        bundle.RemoveMount("/dev/pts").AddNamespace("pid", path).Script("echo $$; cat /proc/1/comm")
            .AddHook("poststart", "/bin/sh", "-c", $"readlink /proc/self/ns/pid >{seen}");
        // The first process of the new namespace is seen by its name: the link of pid_for_children can be read before it leads elsewhere.
        string script =
            $"unshare --pid --fork --kill-child sleep 100 & until pgrep -x -P $! sleep >/dev/null; do sleep 0.01; done; mount --bind "
            + $"/proc/$!/ns/pid_for_children {path}; \"$0\" \"$@\"; status=$?; kill -KILL $!; exit $status";
        using TestContainer container = new(bundle,
            Ocirun.Binary with { Launcher = [Requires.Tool("unshare"), "--user", "--map-root-user", "--mount", "sh", "-c", script] });
        string[] lines = container.Run().ShouldSucceed().Lines;
        lines[^2..].Should().Equal("2", "sleep");
        File.ReadAllText(seen).Trim().Should().Be(new FileInfo("/proc/self/ns/pid").LinkTarget).And.NotBe(lines[0]);
    }

    [Test]
    public void Groups_are_refused_where_they_cannot_be_set()
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        string command = $"{Path.Combine(user.Directory, "ocirun")} explain --bundle";
        using TestBundle plain = new();
        plain.User(0, 0, 5).Save();
        user.Script($"unshare --user --map-root-user {command} {plain.Directory}")
            .ShouldFail(1, "/process/user/additionalGids: [5]: cannot set any additional groups");
    }

    /// <summary>
    /// As in any container, /proc/sys is read-only around the runtime; what it may set in the namespaces it makes it sets all the same.
    /// </summary>
    [Test]
    public void Settings_pass_a_read_only_proc_sys()
    {
        using TestBundle bundle = new();
        bundle.Script("cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/shmmni; touch /proc/sys/kernel/shmmni").Linux["sysctl"] =
            new JsonObject { ["net.ipv4.ip_forward"] = "1", ["kernel.shmmni"] = "99" };
        using TestContainer container = new(
            bundle,
            Ocirun.Binary with
            {
                Launcher = [Requires.Tool("unshare"), "--mount", "sh", "-ec",
                    "mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys; exec \"$0\" \"$@\""]
            });
        container.Run().ShouldFail(1, "Read-only file system").Stdout.Should().Be("1\n99\n");
    }
}
