using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Control;

/// <summary>`delete --force` against containers that resist.</summary>
public sealed class DeleteTests
{
    /// <summary>On v1 a frozen process does not die, and the freezer above the container's own is not its runtime's to thaw.</summary>
    [MeasuresTime]
    [Category("Waits")]
    [Test]
    public void What_cannot_be_killed_is_named_in_a_bounded_time_and_goes_later()
    {
        Requires.V1Controller("freezer");
        using TestBundle bundle = new();
        string own = $"/{TestRun.Token}/frozen-{TestRun.NextNumber()}";
        bundle.Linux["cgroupsPath"] = own + "/c";
        using TestContainer container = Observe.Sleeping(bundle);
        string state = $"{CgroupHost.V1MountPoint("freezer")}{own}/freezer.state";
        File.WriteAllText(state, "FROZEN");
        try
        {
            CommandResult result = container.Delete("--force");
            result.ShouldFail(1,
                $"container init still running: process {container.InitPid} was killed 10 s ago, but a cgroup above its own is frozen");
            result.Duration.Should().BeLessThan(TimeSpan.FromSeconds(15));
            container.Status.Should().Be("paused", "nothing has been taken from it");
        }
        finally
        {
            File.WriteAllText(state, "THAWED");
        }
        container.Delete("--force").ShouldSucceed();
        Cleaner.RemoveEmptyParents(Path.GetFileName(own));
        CgroupHost.Find(Path.GetFileName(own)).Should().BeEmpty();
    }

    /// <summary>An exec with other rights notes it without a lock: here after the last file that delete removes.</summary>
    [Test]
    public void A_note_of_the_last_moment_keeps_no_directory()
    {
        Requires.OcirunItself();
        using TestBundle bundle = new();
        using TestContainer container = Observe.Sleeping(bundle);
        string directory = $"{container.StateRoot}/{container.Id}";
        using RunningCommand delete = Meddler.Delaying("unlinkat", 200)
            .Start(["--root", container.StateRoot, "delete", "--force", container.Id], new CommandOptions());
        Eventually.True(() => !File.Exists($"{directory}/state.json"), "the journal's end");
        File.WriteAllText($"{directory}/other-rights", "");
        delete.Wait().ShouldSucceed();
        Directory.Exists(directory).Should().BeFalse();
    }

    /// <summary>
    /// As a service manager or a runtime in the container makes them: below the container's own cgroup, with processes, one of them frozen.
    /// </summary>
    [Test]
    public void Cgroups_that_a_container_made_go_with_it()
    {
        Requires.V1Controller("freezer");
        using TestBundle bundle = new();
        bundle.WithCgroup().AddNamespace("cgroup");
        bundle.RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev");
        bundle.Script("""
            cd /sys/fs/cgroup
            mkdir -p freezer/in/deep pids/in/deep/deeper
            sleep 1000 & echo $! >freezer/in/deep/cgroup.procs; echo $! >pids/in/deep/deeper/cgroup.procs
            echo FROZEN >freezer/in/freezer.state
            echo ready; exec sleep 1000
            """);
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("ready\n");
        CgroupHost.Find("deeper").Should().ContainSingle(path => path.Contains(bundle.CgroupsPath!));
        container.Delete("--force").ShouldSucceed();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }
}
