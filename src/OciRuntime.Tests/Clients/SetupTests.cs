using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>
/// What `ocirun setup` writes, read by the engines themselves: each runs a container by it, and another without it. The program that it
/// names writes down that it was called, and is the runtime. Files have the paths that the engines know; /etc is a private copy.
/// </summary>
public sealed partial class SetupTests
{
    private string _directory = "";
    private readonly List<ClientHost> _hosts = [];

    private string Etc => $"{_directory}/etc";

    private string Runtime => $"{_directory}/runtime";

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("s");
        Command.Run("cp", "-a", "/etc", Etc).ShouldSucceed();
        WriteProgram(Runtime, Ocirun.Binary.Path);
        string shim = $"{Directory.CreateDirectory($"{_directory}/bin").FullName}/{ShimKinds.Program}";
        File.CreateSymbolicLink(shim, Ocirun.Binary.Path);
        WriteProgram($"{_directory}/{ShimKinds.Program}", shim);

        void WriteProgram(string path, string program)
        {
            File.WriteAllText(path, $"#!/bin/sh\necho \"$@\" >>{_directory}/calls\nexec {program} \"$@\"\n");
            File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        }
    }

    [TearDown]
    public void End()
    {
        _hosts.ForEach(host => host.Dispose());
        _hosts.Clear();
        // Podman puts its monitors there, which end a little later than their containers.
        Cleaner.RemoveCgroups($"{TestRun.Token}/conmon");
        Cleaner.UnmountBelow(_directory);
        Cleaner.DeleteTree(_directory);
    }

    [Test]
    public void Podman_and_buildah()
    {
        ClientHost podman = Host("podman"), buildah = Host("buildah");
        podman.GlobalOptions.AddRange(["--cgroup-manager", "cgroupfs", "--root", $"{_directory}/r", "--runroot", $"{_directory}/rr",
            "--tmpdir", $"{_directory}/t", "--storage-driver", "vfs"]);
        buildah.GlobalOptions.AddRange(["--root", $"{_directory}/r", "--runroot", $"{_directory}/rr", "--storage-driver", "vfs"]);
        // Of the machine, not of the runtime: a drop-in of its owner's, which stays.
        Directory.CreateDirectory($"{Etc}/containers/containers.conf.d");
        File.WriteAllText($"{Etc}/containers/containers.conf.d/10-machine.conf", """
            [containers]
            default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
            [engine]
            runtime = "runc"
            events_logger = "file"
            """);
        ClientImage.WriteRootfs($"{_directory}/bb.tar");
        podman.Run("import", "-q", $"{_directory}/bb.tar", "bb").ShouldSucceed();
        string[] run = ["run", "--rm", "--network=none", "--cgroup-parent", $"/{TestRun.Token}", "bb", "echo", "hello"];
        string container = buildah.Run("from", "bb").ShouldSucceed().Text;
        string[] runInBuildah = ["run", "--isolation=oci", "--network=none", container, "--", "echo", "hello"];

        Setup("podman");
        Info().Should().Be("runc");
        Calls(() => podman.Run(["--runtime", "ocirun", .. run])).Should().BePositive();
        Calls(() => podman.Run(["--runtime", "ocirun", "run", "--rm", "--network=none", "--cgroups=disabled", "bb", "echo", "hello"]))
            .Should().BePositive("it is one of those that can do without");
        Calls(() => podman.Run(run)).Should().Be(0);
        Calls(() => podman.Run(["--runtime", "crun", "info"])).Should().Be(0, "the runtimes that Podman knows are still there");
        Setup("podman", "--default");
        Info().Should().Be("ocirun");
        Calls(() => podman.Run(run)).Should().BePositive();
        Calls(() => buildah.Run(runInBuildah)).Should().BePositive();
        Setup("buildah", "--remove");
        Info().Should().Be("runc");
        Calls(() => podman.Run(run)).Should().Be(0);
        Calls(() => buildah.Run(runInBuildah)).Should().Be(0);
        buildah.Run("rm", container).ShouldSucceed();

        string Info() => podman.Run("info", "--format", "{{.Host.OCIRuntime.Name}}").ShouldSucceed().Text;
    }

    [Test]
    public void Docker()
    {
        ClientHost docker = Host("docker");
        docker.GlobalOptions.AddRange(["--host", $"unix://{_directory}/d.sock"]);
        Directory.CreateDirectory($"{Etc}/docker");
        File.WriteAllText($"{Etc}/docker/daemon.json", """{ "bridge": "none", "iptables": false, "ip6tables": false }""" + "\n");
        Setup("docker", "--default");
        string[] options =
        [
            "--host", $"unix://{_directory}/d.sock", "--data-root", $"{_directory}/d", "--exec-root", $"{_directory}/x", "--pidfile",
            $"{_directory}/pid",
            "--storage-driver", "vfs", "--cgroup-parent", $"/{TestRun.Token}", .. Engine.DockerdOptions,
        ];
        string[] run = ["run", "--rm", "--network=none", "bb", "echo", "hello"];
        using (Start("ocirun"))
        {
            ClientImage.WriteRootfs($"{_directory}/bb.tar");
            docker.Run("import", $"{_directory}/bb.tar", "bb").ShouldSucceed();
            Calls(() => docker.Run(run)).Should().BePositive();
            Calls(() => docker.Run(["run", "--runtime=runc", .. run.Skip(1)])).Should().Be(0);
        }
        if (Engine.DockerKnowsShims)
        {
            Setup("docker", "--default", "--shim");
            using (Start("ocirun")) Calls(() => docker.Run(run)).Should().BePositive();
        }
        Setup("docker", "--remove");
        using (Start("runc")) Calls(() => docker.Run(run)).Should().Be(0);
        File.ReadAllText($"{Etc}/docker/daemon.json").Should().Be("""{ "bridge": "none", "iptables": false, "ip6tables": false }""" + "\n");

        Server Start(string defaultRuntime)
        {
            Server dockerd = new("unshare", InPrivateEtc("dockerd", options));
            dockerd.WaitUntil(() => docker.Run("version").Succeeded);
            docker.Run("info", "--format", "{{.DefaultRuntime}}").ShouldSucceed().Text.Should().Be(defaultRuntime);
            return dockerd;
        }
    }

    private ClientHost Host(string engine)
    {
        Requires.Tool(engine);
        ClientHost host = new("unshare");
        _hosts.Add(host);
        host.GlobalOptions.AddRange(InPrivateEtc(engine));
        return host;
    }

    /// <summary>unshare(1)'s arguments to run a program with the private /etc; unshare makes all mounts private to it, too.</summary>
    private string[] InPrivateEtc(string program, params string[] args) =>
        ["--mount", "sh", "-ec", "mount --bind \"$0\" /etc; exec \"$@\"", Etc, program, .. args];

    /// <summary>How often the runtime was called while a container said hello.</summary>
    private int Calls(Func<CommandResult> run)
    {
        string log = $"{_directory}/calls";
        File.Delete(log);
        run().ShouldSucceed();
        return File.Exists(log) ? File.ReadAllLines(log).Length : 0;
    }

    private void Setup(string engine, params string[] options) =>
        Command.Run("unshare", InPrivateEtc(Ocirun.Binary.Path, ["setup", engine, "--write", "--binary", Runtime, .. options]),
        new CommandOptions()).ShouldSucceed();
}
