using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class StateRootTests
{
    // podman hands root an empty XDG_RUNTIME_DIR; su to root in a user namespace leaves USER=root.
    [TestCase(0u, false, "/run/user/0", null, "/run/ocirun")]
    [TestCase(0u, false, "", null, "/run/ocirun")]
    [TestCase(1000u, false, "/run/user/1000", "me", "/run/user/1000/ocirun")]
    [TestCase(1000u, false, "/run/user/1000/", "root", "/run/user/1000/ocirun")]
    // No login made a directory for this user.
    [TestCase(54321u, false, "", "me", "/tmp/ocirun-54321")]
    [TestCase(54321u, false, null, "me", "/tmp/ocirun-54321")]
    [TestCase(0u, true, "/run/user/1000", "me", "/run/user/1000/ocirun")]
    [TestCase(0u, true, "/run/user/1000", null, "/run/user/1000/ocirun")]
    [TestCase(0u, true, "/run/user/1000", "root", "/run/ocirun")]
    [TestCase(0u, true, "", "me", "/run/ocirun")]
    public void Follows_the_user(uint euid, bool inUserNamespace, string? xdg, string? user, string expected)
    {
        StateRoot root = StateRoot.Resolve(null, new RootFacts(euid, inUserNamespace, xdg, user));
        root.Path.Should().Be(expected);
        root.IsExplicit.Should().BeFalse();
        root.IsPersonal.Should().Be(expected != "/run/ocirun");
    }

    [TestCase("/x/y/", "/x/y")]
    [TestCase("/x/../y", "/y")]
    [TestCase("//x", "/x")]
    public void Takes_what_the_user_says(string option, string expected)
    {
        StateRoot root = StateRoot.Resolve(option, new RootFacts(1000, false, "/run/user/1000", "me"));
        root.Path.Should().Be(expected);
        root.IsExplicit.Should().BeTrue();
    }

    [Test]
    public void Is_absolute() => StateRoot.Resolve("x").Path.Should().Be(Path.Combine(Directory.GetCurrentDirectory(), "x"));

    [TestCase("/")]
    [TestCase("//")]
    [TestCase("/x/..")]
    [TestCase("/./")]
    public void Is_not_the_root_of_the_machine(string option) =>
        FluentActions.Invoking(() => StateRoot.Resolve(option)).Should().Throw<OciException>()
        .WithMessage("Option --root argument should not be set to /");

    [Test]
    public void Is_made_with_its_parents_for_its_owner_only()
    {
        using TemporaryRoot temporary = new();
        string path = Path.Combine(temporary.Base, "a", "b");
        using Fd fd = StateRoot.Resolve(path).OpenOrCreate();
        fd.IsOpen.Should().BeTrue();
        TemporaryRoot.ModeOf(path).Should().Be(Convert.ToInt32("700", 8));
    }

    [Test]
    public void Is_sticky_below_the_runtime_directory()
    {
        using TemporaryRoot temporary = new();
        using Fd fd = StateRoot.Resolve(null, new RootFacts(1000, false, temporary.Base, null)).OpenOrCreate();
        TemporaryRoot.ModeOf(Path.Combine(temporary.Base, "ocirun")).Should().Be(Convert.ToInt32("1700", 8));
    }

    [Test]
    public void Is_not_made_by_looking()
    {
        using TemporaryRoot temporary = new();
        StateRoot.Resolve(temporary.Root).TryOpen().Should().BeNull();
        Directory.Exists(temporary.Root).Should().BeFalse();
    }
}
