using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>
/// The verbs on a container that hides its processes deep below its cgroup, in names that are no text, for a caller with few descriptors.
/// </summary>
public sealed class HostileCgroupTests
{
    private static readonly RuntimeBinary FewDescriptors = Ocirun.Binary with { Launcher = [Requires.Tool("prlimit"), "--nofile=256:256"] };

    /// <summary>
    /// In a hierarchy of v1 other than the freezer's, in the freezer's, and in that of v2, without a pid namespace that would end all with
    /// the first.
    /// </summary>
    [MeasuresTime]
    [TestCase("pids")]
    [TestCase("freezer")]
    [TestCase("")]
    public void Two_thousand_levels(string controller)
    {
        if (controller.Length > 0) Requires.V1Controller(controller);
        using TestBundle bundle = new TestBundle().WithCgroup().RemoveNamespace("pid").Args("sleep", "1000");
        // More than the caller has.
        bundle.Process.Remove("rlimits");
        using TestContainer container = new TestContainer(bundle, FewDescriptors).Started();
        string mount = controller.Length > 0 ? CgroupHost.V1MountPoint(controller)! : CgroupHost.V2MountPoint
            ?? throw new IgnoreException("missing: cgroup v2");
        string top = mount + bundle.CgroupsPath;
        using Process hidden = Children.Start(new("sleep", ["1000"]));
        try
        {
            RawDirectories.Nest(top, Enumerable.Repeat((byte[])[0xff, 0xfe, (byte)'\r'], 2000), hidden.Id);
            container.Invoke("ps", "--format", "json").ShouldSucceed().Json.AsArray().Select(pid => pid!.GetValue<int>()).Should()
                .BeEquivalentTo([container.InitPid, hidden.Id]);
            foreach (string[] verb in (string[][])[["events", "--stats"], ["pause"], ["resume"], ["state"]])
                container.Invoke(verb[0], verb[1..]).ShouldSucceed();
            container.Call("top", "--once", "--json").ShouldSucceed().Json.AsArray().Should().ContainSingle();
            container.Invoke("kill", "--all").ShouldSucceed();
            hidden.WaitForExit(5000).Should().BeTrue("--all means this, too");
            container.WaitExit().Signal.Should().Be(15);
            CommandResult deleted = container.Delete().ShouldSucceed();
            deleted.Duration.Should().BeLessThan(TimeSpan.FromSeconds(3), "a quarter of a second by itself");
            Directory.Exists(top).Should().BeFalse();
        }
        finally
        {
            if (!hidden.HasExited) hidden.Kill();
        }
    }

    /// <summary>A privileged container with a writable cgroup mount does it itself.</summary>
    [MeasuresTime]
    [Test]
    public void Names_that_are_no_text_are_removed_at_the_end_of_run()
    {
        using TestBundle bundle = new TestBundle().WithCgroup();
        bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev");
        bundle.Script(
            """for d in $(find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d); do mkdir -p "$d/$(printf '\377\376')/$(printf '\303')"; done; ls /sys/fs/cgroup | wc -l""");
        using TestContainer container = new(bundle);
        CommandResult result = container.Run().ShouldSucceed();
        int.Parse(result.Text).Should().BePositive();
        result.Duration.Should().BeLessThan(TimeSpan.FromSeconds(5));
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }
}
