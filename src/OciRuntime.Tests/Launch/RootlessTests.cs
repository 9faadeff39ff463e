using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>The configuration of `runc spec --rootless`, launched by an ordinary user who has no rights over cgroups.</summary>
public sealed class RootlessTests
{
    private const string User = "1000";

    /// <summary>On v1 the places of the cgroups that could not be made stay empty; standard input was once taken for one of them.</summary>
    [Test]
    public void Ordinary_user_runs_a_container_and_keeps_its_standard_input()
    {
        using TestBundle bundle = Bundle();
        bundle.Script("cat; id -u; echo HOSTNAME=$(hostname)");
        Run(bundle, "hello\n").ShouldSucceed().Stdout.Should().Be("hello\n0\nHOSTNAME=runc\n");
    }

    [Test]
    public void Joined_namespace_is_found_although_there_are_no_cgroups()
    {
        using TestBundle bundle = Bundle();
        // One's own: joining needs a privilege over it, which the new user namespace's maker has only over what belongs to it.
        bundle.AddNamespace("ipc", "/proc/self/ns/ipc").Script("true");
        Run(bundle, "").ShouldFail(1, "/linux/namespaces: join namespaces: ipc /proc/self/ns/ipc: operation not permitted (EPERM)");
    }

    [Test]
    public void Limit_that_cannot_be_set_is_an_error()
    {
        using TestBundle bundle = Bundle();
        bundle.Resources["pids"] = new JsonObject { ["limit"] = 10 };
        Run(bundle, "").ShouldFail(1, "permission denied (EACCES)");
    }

    private static TestBundle Bundle()
    {
        TestBundle bundle = new() { Config = JsonNode.Parse(SpecFixtures.Read("rootless"))!.AsObject() };
        bundle.Process["terminal"] = false;
        foreach (string map in (string[])["uidMappings", "gidMappings"]) bundle.Linux[map]![0]!["hostID"] = int.Parse(User);
        // The checkout may lie where only root can go.
        File.Copy(Ocirun.Binary.Path, Path.Combine(bundle.Directory, "ocirun"));
        Directory.CreateDirectory(Path.Combine(bundle.Directory, "state"));
        string[] directories = [bundle.Directory, Path.Combine(bundle.Directory, "state"), bundle.Rootfs, .. Directory.GetDirectories(bundle.Rootfs)];
        Command.Run("chown", [$"{User}:{User}", .. directories], new CommandOptions()).ShouldSucceed();
        return bundle;
    }

    private static CommandResult Run(TestBundle bundle, string input)
    {
        Requires.OcirunItself();
        bundle.Save();
        string[] runtime = [Path.Combine(bundle.Directory, "ocirun"), "--root", Path.Combine(bundle.Directory, "state"), "run", "--bundle", bundle.Directory, $"{TestRun.Token}-{TestRun.NextNumber()}"];
        return Command.Run(Requires.Tool("setpriv"), ["--reuid", User, "--regid", User, "--clear-groups", .. runtime], new CommandOptions { Stdin = input });
    }
}
