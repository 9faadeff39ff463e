using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>The session keyring: the caller's keys are not the container's.</summary>
public sealed class KeyringTests
{
    [Test]
    public void A_container_has_one_of_its_own()
    {
        Requires.PathExists("/proc/keys", "kernel key management");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.RunProbe("keyring"));
        // Possessor all, user all but change of attributes and write, search for the user added (keyctl_setperm(3)).
        container.Run().ShouldSucceed().Text.Should().MatchRegex($"^[0-9]+ keyring;0;0;3f1b0000;_ses\\.{container.Id}$");
    }

    [Test]
    public void In_a_user_namespace_others_may_search_it()
    {
        Requires.PathExists("/proc/keys", "kernel key management");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.WithUserNamespace().RunProbe("keyring"));
        container.Run().ShouldSucceed().Text.Should().MatchRegex($"^[0-9]+ keyring;0;0;3f130008;_ses\\.{container.Id}$");
    }

    [TestCase(true)]
    [TestCase(false)]
    public void The_callers_is_kept_only_when_asked_for(bool keep)
    {
        Requires.PathExists("/proc/keys", "kernel key management");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.RunProbe("keyring"));
        string[] command = ["keyring-of", $"caller-{container.Id}", Ocirun.Binary.Path, "--root", container.StateRoot, "run", "--bundle",
            bundle.Save().Directory];
        string name = Command.Run(Probe.HostPath, [.. command, .. keep ? ["--no-new-keyring"] : Array.Empty<string>(), container.Id])
            .ShouldSucceed().Text.Split(';')[^1];
        name.Should().Be(keep ? $"caller-{container.Id}" : $"_ses.{container.Id}");
    }
}
