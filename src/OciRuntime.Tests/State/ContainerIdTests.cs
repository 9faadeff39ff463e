using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class ContainerIdTests
{
    [TestCase("a")]
    [TestCase("web-1_2+3.4")]
    [TestCase("-")]
    [TestCase("_")]
    [TestCase("a..b")]
    public void Accepts(string id) => FluentActions.Invoking(() => ContainerId.Validate(id)).Should().NotThrow();

    [Test]
    public void Accepts_255_characters_and_no_more()
    {
        ContainerId.IsValid(new string('a', 255)).Should().BeTrue();
        ContainerId.IsValid(new string('a', 256)).Should().BeFalse();
    }

    [TestCase(".")]
    [TestCase("..")]
    [TestCase(".hidden")]
    [TestCase("a/b")]
    [TestCase("../x")]
    [TestCase("a b")]
    [TestCase("a\n")]
    [TestCase("a\0")]
    [TestCase("ä")]
    [TestCase("a:b")]
    public void Refuses(string id) =>
        FluentActions.Invoking(() => ContainerId.Validate(id)).Should().Throw<OciException>().WithMessage("invalid container ID format");

    [Test]
    public void Refuses_nothing_in_its_own_words() =>
        FluentActions.Invoking(() => ContainerId.Validate("")).Should().Throw<OciException>().WithMessage("container id cannot be empty");

    [Test]
    public void Is_checked_before_the_disk_is_touched()
    {
        using TemporaryRoot root = new();
        FluentActions.Invoking(() => root.Claim("../x")).Should().Throw<OciException>().WithMessage("invalid container ID format");
        FluentActions.Invoking(() => root.Store.TryOpen("..")).Should().Throw<OciException>().WithMessage("invalid container ID format");
        Directory.Exists(root.Root).Should().BeFalse();
    }
}
