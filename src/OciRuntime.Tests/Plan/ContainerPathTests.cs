using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class ContainerPathTests
{
    [TestCase("/", ".")]
    [TestCase("", ".")]
    [TestCase("/a", "a")]
    [TestCase("/a/b", "a/b")]
    [TestCase("a/b", "a/b", Description = "relative ones are meant from the root")]
    [TestCase("/a//b/", "a/b")]
    [TestCase("//", ".")]
    [TestCase("/./a/.", "a")]
    [TestCase("/a/../b", "b")]
    [TestCase("/..", ".")]
    [TestCase("/../../etc", "etc")]
    [TestCase("/a/../../../b", "b")]
    [TestCase("/.hidden", ".hidden")]
    [TestCase("/a/..b/...", "a/..b/...")]
    public void Clean(string path, string expected) => ContainerPath.Clean(path).Should().Be(expected);

    [TestCase(".", "/")]
    [TestCase("a/b", "/a/b")]
    [TestCase(".hidden", "/.hidden")]
    public void Absolute(string clean, string expected) => ContainerPath.Absolute(clean).Should().Be(expected);

    [TestCase("proc", "proc", true)]
    [TestCase("proc/self", "proc", true)]
    [TestCase("process", "proc", false)]
    [TestCase("pro", "proc", false)]
    [TestCase("a/proc", "proc", false)]
    public void Below_goes_by_component(string path, string parent, bool expected) =>
    ContainerPath.IsBelow(path, parent).Should().Be(expected);

    [TestCase("/x", "/x")]
    [TestCase("x/y", "/b/x/y")]
    public void Relative_sources_are_the_bundles(string path, string expected) => ContainerPath.OnHost("/b", path).Should().Be(expected);

    [Test]
    public void Working_directory_keeps_its_dot() =>
        Plans.Default(c => c["process"]!["cwd"] = "/.cache").Steps<ChangeDirectoryStep>().Should()
        .HaveCount(2).And.OnlyContain(step => step.Describe().StartsWith("enter /.cache"));
}
