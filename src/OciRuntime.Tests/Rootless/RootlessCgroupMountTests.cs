using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>
/// The cgroup mount of `spec --rootless` on cgroup v1, where an ordinary user can make no cgroups: it shows those that the container is in.
/// </summary>
public sealed class RootlessCgroupMountTests
{
    [Test]
    public void Hierarchies_are_shown_and_read_only([Values] bool readOnly)
    {
        Requires.V1Controller("pids");
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user.Bundle();
        JsonArray options =
            bundle.Mounts.Single(mount => mount!["destination"]!.GetValue<string>() == "/sys/fs/cgroup")!["options"]!.AsArray();
        if (!readOnly) options.Remove(options.Single(option => option!.GetValue<string>() == "ro"));
        using TestContainer container = user.Container(bundle.Args("sleep", "1000")).Started();
        foreach (MountInfo host in CgroupHost.Mounts.Where(mount => mount.Type == "cgroup"))
        {
            string name = Path.GetFileName(host.MountPoint);
            MountInfo mount = container.Init.MountAt($"/sys/fs/cgroup/{name}");
            mount.Type.Should().Be("cgroup", name);
            mount.Options.Should().Contain("ro", "they are others', {0}", name);
            mount.SuperOptions.Should().BeEquivalentTo(host.SuperOptions);
            mount.Root.Should().Be(container.Init.Cgroups.Single(entry => entry.Controllers.Intersect(host.SuperOptions).Any()).Path, name);
            File.ReadAllText(container.Init.InRoot($"/sys/fs/cgroup/{name}/cgroup.procs")).Split('\n').Should()
                .Contain($"{container.InitPid}");
        }
    }

    [Test]
    public void Ps_finds_the_processes_all_the_same()
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user.Bundle();
        using TestContainer container = user.Container(bundle.Script("sleep 1000 & wait")).Started();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 1, "the shell's child");
        int[] everyone = [.. ProcessTree.DescendantsOf(container.InitPid).Append(container.InitPid).Order()];
        container.Invoke("ps", "--format", "json").ShouldSucceed().Json.AsArray().Select(pid => pid!.GetValue<int>()).Should()
            .Equal(everyone);
        container.Invoke("ps").ShouldSucceed().Lines.Should().HaveCount(3);
    }

    /// <summary>What engines write for "not set" is no limit, for which an ordinary user would need a cgroup.</summary>
    [Test]
    public void Zeros_are_no_limits()
    {
        using OrdinaryUser user = OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user.Bundle();
        bundle.Config["ociVersion"] = "1.2.1";
        bundle.Linux["resources"] =
            JsonNode.Parse(
            """{ "pids": { "limit": 0 }, "memory": { "limit": 0, "swap": 0 }, "cpu": { "shares": 0, "quota": 0, "burst": 0, "idle": 0, "cpus": "" }, "blockIO": { "weight": 0 } }""");
        using (TestContainer container = user.Container(bundle.Script("true & wait; echo fine")))
            container.Run().ShouldSucceed().Text.Should().Be("fine");
        bundle.Config["ociVersion"] = "1.3.0";
        using TestContainer limited = user.Container(bundle);
        limited.Run().ShouldFail(1, "rootless needs no limits");
    }
}
