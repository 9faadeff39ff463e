using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>What a container can reach, how large its values may be, and what may name it.</summary>
public sealed class ConfinementTests
{
    /// <summary>After the switch nothing of the host is left: no mount, no descriptor, no root or directory of any process.</summary>
    [Test]
    public void Nothing_of_the_host_is_reachable()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "100").AddMount("/host-file", null, "/etc/hostname", "bind", "ro");
        using TestContainer container = new(bundle);
        container.Started();
        string[] own = ["proc", "tmpfs", "devpts", "mqueue", "sysfs", "cgroup", "cgroup2"];
        foreach (MountInfo mount in container.Init.Mounts.Where(mount => !own.Contains(mount.Type)))
        {
            (mount.MountPoint is "/" or "/host-file" || (mount.Type == "devtmpfs" && mount.Root == "/null")).Should()
                .BeTrue("unexpected mount {0}", mount);
        }
        MountInfo root = container.Init.Mounts.Single(mount => mount.MountPoint == "/");
        root.Root.Should().EndWith(bundle.Rootfs[^20..]);
        container.Init.Mounts.Should().NotContain(mount => mount.Id == root.ParentId, "the root has no mount above it that can be seen");
        container.Init.Mounts.Select(mount => mount.PropagationType).Should()
            .NotContain("shared", "what is mounted inside must not appear outside");
    }

    [Test]
    public void Root_of_the_first_process_is_the_containers_own()
    {
        using TestBundle bundle =
            new TestBundle().Script(
            "ls /proc/1/root/ | tr '\\n' ' '; ls /proc/1/cwd/ | tr '\\n' ' '; cd /..; pwd; cd ../../..; pwd; ls -d "
            + "/proc/1/root/../etc/passwd");
        using TestContainer container = new(bundle);
        string[] lines = container.Run().ShouldSucceed().Lines;
        lines[0].Should().NotContain("lost+found").And.NotContain("boot").And.Contain("proc");
        lines[1].Should().Be("/");
    }

    private static IEnumerable<int> Lengths() => [65_535, 65_536, 65_540, 1 << 20];

    /// <summary>
    /// CVE-2021-43784: a length that wrapped made one value swallow another. Either the exact effect, or an error that names it.
    /// </summary>
    [TestCaseSource(nameof(Lengths))]
    public void Large_environment(int length)
    {
        using TestBundle bundle = new TestBundle().Script("echo ${#BIG} $AFTER").Env($"BIG={new string('b', length)}").Env("AFTER=after");
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        if (length < 131_000)
        {
            result.ShouldSucceed().Text.Should().Be($"{length} after");
        }
        else
        {
            result.ShouldFail(1, "/process/env/2", "variable BIG", "argument list too long");
        }
    }

    [Test]
    public void The_longest_variable_that_fits()
    {
        using TestBundle bundle = new TestBundle().Script("echo ${#BIG}").Env($"BIG={new string('b', 131_071 - 4)}");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Text.Should().Be("131067");
        bundle.Env($"MORE={new string('b', 131_072 - 5)}");
        using TestContainer second = new(bundle);
        second.Create().ShouldFail(1, "variable MORE");
    }

    [TestCaseSource(nameof(Lengths))]
    public void Large_argument(int length)
    {
        using TestBundle bundle = new TestBundle().Args("sh", "-c", "echo ${#1} $2", "sh", new string('a', length), "after");
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        if (length < 131_072)
        {
            result.ShouldSucceed().Text.Should().Be($"{length} after");
        }
        else
        {
            result.ShouldFail(1, "/process/args/4", "argument list too long");
        }
    }

    [TestCaseSource(nameof(Lengths))]
    public void Large_names(int length)
    {
        foreach (string what in (string[])["hostname", "namespace", "cwd", "mount", "source", "mask", "rootfs"])
        {
            using TestBundle bundle = new TestBundle().Args("true");
            string path = "/" + new string('p', length);
            switch (what)
            {
                case "hostname": bundle.Config["hostname"] = path[1..]; break;
                case "namespace": bundle.AddNamespace("network", path); break;
                case "cwd": bundle.Process["cwd"] = path; break;
                case "mount": bundle.AddMount(path, "tmpfs", "tmpfs"); break;
                case "source": bundle.AddMount("/mnt", null, path, "bind"); break;
                case "mask": bundle.Linux["maskedPaths"] = TestBundle.Strings(path); break;
                default: bundle.Config["root"]!["path"] = path; break;
            }
            using TestContainer container = new(bundle);
            CommandResult result = container.Run();
            result.ShouldFail(1);
            result.Stderr.TrimEnd('\n').Should().NotContain("\n", "{0}", what).And.NotContain("bug in ocirun");
        }
    }

    [Test]
    public void Large_annotations_come_back_whole()
    {
        string value = new('v', 1 << 20);
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        bundle.Annotations["big"] = value;
        bundle.Annotations["after"] = "after";
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        JsonObject annotations = container.StateJson["annotations"]!.AsObject();
        annotations["big"]!.GetValue<string>().Should().Be(value);
        annotations["after"]!.GetValue<string>().Should().Be("after");
    }

    private static IEnumerable<string> BadIds() =>
        ["..", ".", "a/b", "../x", "/etc", "a\nb", "a b", "a\tb", ".hidden", "ü", "a\\b", "a:b", new string('i', 256), "a;b", "%s%n"];

    /// <summary>Every verb checks the name before it touches the disk.</summary>
    [TestCaseSource(nameof(BadIds))]
    public void Ids_are_checked_by_every_verb(string id)
    {
        // crun 1.8 takes "/etc" for a path, and removes it.
        Requires.OcirunItself();
        using Canary canary = new();
        using TestBundle bundle = new TestBundle().Args("true").Save();
        string root = Path.Combine(canary["inner"], "no-state-here");
        foreach (string[] verb in (string[][])[["create", "--bundle", bundle.Directory], ["run", "--bundle", bundle.Directory], ["start"],
            ["state"], ["kill"], ["delete"], ["delete", "--force"]])
        {
            CommandResult result = Ocirun.Run(["--root", root, .. verb, id]);
            result.ShouldFail(1, "invalid container ID format");
        }
        canary.ShouldBeUntouched(id);
    }

    [Test]
    public void Empty_id_is_refused_by_every_verb()
    {
        string root = TestRun.NewPath("state");
        foreach (string verb in (string[])["create", "run", "start", "state", "kill", "delete"])
            Ocirun.Run("--root", root, verb, "").Succeeded.Should().BeFalse(verb);
        Directory.Exists(root).Should().BeFalse();
    }
}
