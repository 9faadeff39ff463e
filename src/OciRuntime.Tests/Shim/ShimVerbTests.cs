using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>What containerd's shim does by its name, by hand.</summary>
public sealed class ShimVerbTests
{
    [Test]
    public void The_command_starts_and_deletes()
    {
        using TestBundle bundle = new TestBundle().Save();
        string id = Path.GetFileName(bundle.Directory), address = $"{bundle.Directory}/c.sock";
        string[] options =
        [
            "shim", "--namespace", TestRun.Token, "--id", id, "--address", address, "--publish-binary", "/x", "--bundle", bundle.Directory,
            "--debug",
        ];
        CommandOptions here = new() { WorkingDirectory = bundle.Directory };
        string path = ShimSocket.PathOf("/run/containerd/s", address, TestRun.Token, id);
        Ocirun.Run([.. options, "start"], here).ShouldSucceed().Stdout.Should().Be($"unix://{path}");
        // The second one finds the first.
        Ocirun.Run([.. options, "start"], here).ShouldSucceed().Stdout.Should().Be($"unix://{path}");
        using (TaskClient client = new(path)) client.Call("Shutdown", ShimUnderTest.Named(id));
        Eventually.True(() => !File.Exists(path), "the shim's end");
        CommandResult deleted = Ocirun.Run([.. options, "delete"], here).ShouldSucceed();
        deleted.Stderr.Should().BeEmpty();
        // 1 pid, 2 status: 137 is 0x89 0x01.
        deleted.Stdout.Should().StartWith("\b\0\u0010");
        Ocirun.Run([.. options, "dance"], here).ShouldFail(1, "start or delete, not with");
    }

    [Test]
    public void Info_has_the_features()
    {
        string info = Ocirun.Run("shim", "--info").ShouldSucceed().Stdout;
        info.Should().Contain("containerd-shim-ocirun-v2").And.Contain("runtime-spec/1/features/Features")
            .And.Contain(Ocirun.Run("features").Stdout.TrimEnd());
    }
}
