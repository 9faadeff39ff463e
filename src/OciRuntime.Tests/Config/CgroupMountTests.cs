using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>What mounts of the types cgroup and cgroup2 are on hosts with the one, the other, or both.</summary>
public sealed class CgroupMountTests
{
    [Test]
    public void Cgroup2_is_cgroup2_where_both_are_mounted([Values] bool cgroupNamespace)
    {
        if (CgroupHost.Mode != CgroupMode.Hybrid) Assert.Ignore("missing: cgroup v2 beside v1");
        using TestBundle bundle = With(cgroupNamespace);
        using TestContainer container = Observe.Sleeping(bundle);
        MountInfo mount = container.Init.MountAt("/x");
        mount.Type.Should().Be("cgroup2");
        mount.Options.Should().Contain(["ro", "nosuid"]);
        mount.Root.Should().Be(cgroupNamespace ? bundle.CgroupsPath : "/");
        container.Init.MountAt("/sys/fs/cgroup").Type.Should().Be("tmpfs", "type cgroup is what the host has there");
    }

    [Test]
    public void Cgroup2_is_cgroup2_where_it_is_not_mounted([Values] bool cgroupNamespace)
    {
        if (CgroupHost.Mode != CgroupMode.Hybrid) Assert.Ignore("missing: cgroup v2 beside v1");
        using TestBundle bundle = With(cgroupNamespace);
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000"), Wrapped.WithoutV2).Started();
        container.Init.MountAt("/x").Type.Should().Be("cgroup2");
    }

    /// <summary>
    /// They show the caller's, which a container without a cgroup is in, and without a namespace the v1 ones are not for it to write to.
    /// </summary>
    [Test]
    public void Types_mean_the_same_without_a_cgroup_of_the_containers([Values] bool cgroupNamespace)
    {
        if (CgroupHost.Mode != CgroupMode.Hybrid) Assert.Ignore("missing: cgroup v2 beside v1");
        using TestBundle bundle = With(cgroupNamespace).RemoveMount("/sys/fs/cgroup").AddMount("/sys/fs/cgroup", "cgroup", "cgroup", "rw");
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.GlobalOptions.AddRange(["--cgroup-manager", "disabled"]);
        container.Started();
        container.Init.MountAt("/x").Type.Should().Be("cgroup2");
        container.Init.MountAt("/sys/fs/cgroup").Type.Should().Be("tmpfs");
        foreach (MountInfo host in CgroupHost.Mounts.Where(mount => mount.Type == "cgroup"))
        {
            MountInfo mount = container.Init.MountAt($"/sys/fs/cgroup/{Path.GetFileName(host.MountPoint)}");
            mount.Type.Should().Be("cgroup");
            mount.Root.Should().Be(container.Init.Cgroups.Single(entry => entry.Controllers.Intersect(host.SuperOptions).Any()).Path);
            mount.Options.Should().Contain(cgroupNamespace ? "rw" : "ro");
        }
    }

    /// <summary>The kernel's word for no source is "none"; programs that read mount tables know the one of runc and crun.</summary>
    [TestCase("cgroup", "cgroup", "cgroup")]
    [TestCase("cgroup2", "mine", "mine")]
    [TestCase("cgroup2", null, "cgroup")]
    [TestCase("cgroup2", "", "cgroup")]
    public void Source_of_a_cgroup2_mount(string type, string? source, string expected)
    {
        using TestBundle bundle = new TestBundle().WithCgroup().AddNamespace("cgroup").RemoveMount("/sys/fs/cgroup")
            .AddMount("/sys/fs/cgroup", type, source, "ro");
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000"), Wrapped.PureV2).Started();
        MountInfo mount = container.Init.MountAt("/sys/fs/cgroup");
        mount.Type.Should().Be("cgroup2");
        mount.Source.Should().Be(expected);
    }

    private static TestBundle With(bool cgroupNamespace)
    {
        TestBundle bundle = new TestBundle().WithCgroup().AddMount("/x", "cgroup2", "cgroup2", "ro", "nosuid");
        if (cgroupNamespace) bundle.AddNamespace("cgroup");
        Directory.CreateDirectory(bundle.InRootfs("x"));
        return bundle;
    }
}
