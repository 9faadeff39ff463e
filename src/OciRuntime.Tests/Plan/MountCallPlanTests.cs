using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Plan;

namespace OciRuntime.Tests.Plan;

public sealed class MountCallPlanTests
{
    [TestCase("lowerdir", "a", @"/b\:\,\\/a")]
    [TestCase("lowerdir", "/a:/b", "/a:/b")]
    [TestCase("lowerdir", @"/a:b\:c\,::/d:e\", @"/a:/b\:\,\\/b\:c\,::/d:/b\:\,\\/e\")]
    [TestCase("lowerdir", ":", ":")]
    [TestCase("lowerdir+", "a:b", @"/b:,\/a:b")]
    [TestCase("datadir+", "/a", "/a")]
    [TestCase("upperdir", "a:b", @"/b\:\,\\/a:b")]
    [TestCase("workdir", "", "")]
    [TestCase("xino", "on", "on")]
    [TestCase("userxattr", null, null)]
    public void Relative_directories_of_an_overlay_are_below_the_bundle(string key, string? value, string? expected) =>
        MountCallPlan.FromBundle(@"/b:,\", key, value).Should().Be(expected);

    /// <summary>What fsconfig(2) is given once mount(2) takes twice.</summary>
    [Test]
    public void A_comma_for_cifs() =>
        MountCallPlan.Build("cifs", [new("source", new string('s', 300)), new("password", "a,b")])!.Pieces.Should().Equal("password=a,,b");
}
