using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>
/// Checkpoints that containerd asks for, with what stands in for criu. What the same code does with a real one is seen in the virtual
/// machine, by the command line (Vm/CheckpointTests).
/// </summary>
public sealed class CheckpointTests : ShimFixture
{
    private string _images = null!;

    private string Request => File.ReadAllText($"{_images}/request");

    [TearDown]
    public void Clean() => Cleaner.DeleteTree(Path.GetDirectoryName(_images)!);

    private protected override ShimUnderTest Start()
    {
        Requires.Tool("criu");
        string directory = TestRun.NewDirectory("criu"), programs = Directory.CreateDirectory($"{directory}/bin").FullName;
        _images = Directory.CreateDirectory($"{directory}/images").FullName;
        File.Copy($"{Ocirun.RepositoryRoot}/src/OciRuntime.Tests/Checkpoint/fake-criu.py", $"{programs}/criu");
        File.SetUnixFileMode($"{programs}/criu", (UnixFileMode)0b111_101_101);
        return new(environment: new()
        {
            ["PATH"] = $"{programs}:/usr/sbin:/usr/bin:/sbin:/bin",
            ["FAKE_CRIU"] = "refuse",
            ["FAKE_CRIU_RECORD"] = $"{_images}/request",
        });
    }

    [Test]
    public void Criu_is_told_what_containerd_says()
    {
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        string id = Shim.Run(bundle);
        // 1 exit, 2 open_tcp, 3 external_unix_sockets, 4 terminal, 5 file_locks, 6 empty_namespaces, 7 cgroups_mode.
        Refusal(() => Checkpoint(id, new ProtobufWriter().Number(1, 1L).Number(2, 1L).Number(3, 1L).Number(4, 1L).Number(5, 1L)
            .Text(6, "network").Text(7, "strict"))).Message.Should().Contain($"{Unknown}: ").And.Contain("reason; log file: ");
        foreach (string flag in (string[])["ext_unix_sk", "tcp_established", "shell_job", "file_locks"])
            Request.Should().Contain($"  {flag}: true\n");
        Request.Should().Contain("type: DUMP").And.Contain($"pid: {Shim.PidOf(id)}").And.Contain("manage_cgroups_mode: STRICT")
            .And.NotContain("leave_running");
        Refusal(() => Checkpoint(id, new ProtobufWriter()));
        Request.Should().Contain("leave_running: true").And.Contain("manage_cgroups_mode: SOFT");
        Refusal(() => Checkpoint(id, new ProtobufWriter().Text(6, "user"))).Code.Should().Be(InvalidArgument);
        Refusal(() => Checkpoint(id, new ProtobufWriter().Text(7, "none"))).Code.Should().Be(InvalidArgument);
        Shim.StatusOf(id).Should().Be(Running);
        Shim.KillAndDelete(id);
        using TestBundle other = Shim.Bundle().Args("true");
        string created = Shim.Create(other);
        Refusal(() => Checkpoint(created, new ProtobufWriter())).Code.Should().Be(Unknown);
        Shim.Call("Delete", created);
    }

    /// <summary>There is no process before the start, which may fail.</summary>
    [Test]
    public void Restore_comes_with_the_start()
    {
        File.WriteAllText($"{_images}/descriptors.json", """["pipe:[7]","pipe:[8]","pipe:[8]"]""");
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        using TestBundle bundle = Shim.Bundle().Args("sleep", "1000");
        byte[] created = Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, $"file://{_images}/out").Text(8, _images));
        ShimUnderTest.Number(created, 1).Should().Be(0);
        (Shim.StatusOf(id), Shim.PidOf(id)).Should().Be((Created, 0));
        Refusal(() => Shim.Kill(id, 9)).Code.Should().Be(FailedPrecondition);
        Task<byte[]> waiting = Shim.Client.CallAsync("Wait", ShimUnderTest.Named(id));
        Refusal(() => Shim.Call("Start", id)).Message.Should().Contain("type RESTORE errno");
        Request.Should().Contain("type: RESTORE").And.Contain("key: \"pipe:[8]\"");
        Shim.StatusOf(id).Should().Be(Created);
        Shim.Call("Delete", id);
        waiting.Wait(TimeSpan.FromSeconds(10)).Should().BeTrue();
        Eventually.True(() => Shim.Events.Length == 2, "all events");
        Shim.Events.Should().Equal("create", "delete");
    }

    private void Checkpoint(string id, ProtobufWriter options) => Shim.Client.Call("Checkpoint",
        new ProtobufWriter().Text(1, id).Text(2, _images)
            .Message(3, AnyMessage.Write("containerd.runc.v1.CheckpointOptions", options.Written)));
}
