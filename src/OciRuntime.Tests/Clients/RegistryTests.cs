using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Clients.Containerd;
using OciRuntime.Tests.Clients.Docker;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>
/// A private registry, Debian's docker-registry on loopback, between the engines: what one of them builds and pushes the others pull and
/// run, with a volume that goes from one to the next.
/// </summary>
[ForeignDaemon]
public sealed class RegistryTests
{
    private const string Repository = "127.0.0.1:5000/app";
    private static readonly string[] Plain = ["--tls-verify=false"];

    private DockerHost _docker = null!;
    private ClientHost _podman = null!, _buildah = null!, _ctr = null!;
    private Server? _registry, _containerd;
    private string _volume = "";

    [OneTimeSetUp]
    public void Prepare()
    {
        _docker = new DockerHost();
        StartRegistry();
        StartContainerd();
        _podman = Engine("podman");
        _podman.GlobalOptions.AddRange(["--runtime", Ocirun.Binary.Path, "--tmpdir", $"{_podman.Directory}/t", .. Storage(_podman)]);
        _buildah = Engine("buildah");
        _buildah.GlobalOptions.AddRange(Storage(_buildah));
        _buildah.Environment["BUILDAH_ISOLATION"] = "oci";
        _buildah.Environment["BUILDAH_RUNTIME"] = Ocirun.Binary.Path;
        _volume = Directory.CreateDirectory($"{_docker.Directory}/volume").FullName;
    }

    [TearDown]
    public void RemoveContainers()
    {
        _docker.Clear();
        _podman.Run("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        _buildah.Run("rm", "--all").ShouldSucceed();
        _podman.CheckNothingLeft();
        // Podman puts its monitors there, and leaves it to the next ones.
        Cleaner.RemoveCgroups($"{TestRun.Token}/conmon");
        foreach (string file in Directory.GetFiles(_volume)) File.Delete(file);
    }

    [OneTimeTearDown]
    public void End()
    {
        _containerd?.Dispose();
        _registry?.Dispose();
        _podman?.Dispose();
        _buildah?.Dispose();
        _ctr?.Dispose();
        _docker.Dispose();
    }

    [Test]
    public void Image_that_one_engine_pushes_is_run_by_all()
    {
        DockerBuildsAndPushes("1");
        _docker.Run("pull", $"{Repository}:1").ShouldSucceed();
        _podman.Run(["pull", .. Plain, $"{Repository}:1"]).ShouldSucceed();
        _ctr.Run("image", "pull", "--plain-http", "--snapshotter", "native", $"{Repository}:1").ShouldSucceed();
        string container = _buildah.Run(["from", .. Plain, $"{Repository}:1"]).ShouldSucceed().Text;

        RunInDocker("1", "docker");
        RunInPodman("1", "podman");
        RunInContainerd("1", "containerd");
        RunInBuildah(container, "buildah");
        File.ReadAllLines($"{_volume}/log").Should()
            .Equal("docker made by docker", "podman made by docker", "containerd made by docker", "buildah made by docker");
    }

    [Test]
    public void Image_goes_from_engine_to_engine()
    {
        DockerBuildsAndPushes("2");

        string context = Directory.CreateDirectory($"{_podman.Directory}/context").FullName;
        File.WriteAllText($"{context}/Dockerfile", $"FROM {Repository}:2\nRUN echo and podman >> /maker\n");
        // Not the parent, but the cgroup itself: with the devices it allows, and its end with the container.
        _podman.Run(["build", .. Plain, "--network=none", $"--cgroup-parent=/{TestRun.Token}/build", "--tag", $"{Repository}:3", context])
            .ShouldSucceed();
        _podman.Run(["push", .. Plain, $"{Repository}:3"]).ShouldSucceed();

        string container = _buildah.Run(["from", .. Plain, $"{Repository}:3"]).ShouldSucceed().Text;
        _buildah.Run("run", "--network=none", container, "--", "sh", "-c", "echo and buildah >> /maker").ShouldSucceed();
        _buildah.Run("commit", "--quiet", container, $"{Repository}:4").ShouldSucceed();
        _buildah.Run(["push", .. Plain, $"{Repository}:4"]).ShouldSucceed();

        _ctr.Run("image", "pull", "--plain-http", "--snapshotter", "native", $"{Repository}:4").ShouldSucceed();
        RunInContainerd("4", "containerd");
        _ctr.Run("image", "tag", $"{Repository}:4", $"{Repository}:5").ShouldSucceed();
        _ctr.Run("image", "push", "--plain-http", $"{Repository}:5").ShouldSucceed();

        RunInDocker("5", "docker");
        File.ReadAllLines($"{_volume}/log").Should().Equal(
            "containerd made by docker and podman and buildah", "docker made by docker and podman and buildah");
    }

    /// <summary>Pushed, and removed here, so that it has to come back.</summary>
    private void DockerBuildsAndPushes(string tag)
    {
        string context = Directory.CreateDirectory($"{_docker.Directory}/context").FullName;
        File.WriteAllText($"{context}/Dockerfile", "FROM bb\nRUN echo made by docker > /maker\n");
        _docker.Build(buildKit: false, "--tag", $"{Repository}:{tag}", context).ShouldSucceed();
        _docker.Run("push", $"{Repository}:{tag}").ShouldSucceed();
        _docker.Run("rmi", $"{Repository}:{tag}").ShouldSucceed();
    }

    private void RunInDocker(string tag, string name) =>
        _docker.RunContainer($"--volume={_volume}:/vol", $"{Repository}:{tag}", "sh", "-c", Script(name)).ShouldSucceed();

    private void RunInPodman(string tag, string name) =>
        _podman.Run("run", "--rm", "--cidfile", _podman.NextCidFile(), $"--cgroup-parent=/{TestRun.Token}", "--network=none",
        $"--volume={_volume}:/vol", $"{Repository}:{tag}", "sh", "-c", Script(name)).ShouldSucceed();

    private void RunInBuildah(string container, string name) =>
        _buildah.Run("run", "--network=none", $"--volume={_volume}:/vol", container, "--", "sh", "-c", Script(name)).ShouldSucceed();

    private void RunInContainerd(string tag, string name)
    {
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        _ctr.Run("run", "--rm", "--snapshotter", "native", "--runtime", "io.containerd.runc.v2", "--runc-binary", Ocirun.Binary.Path,
            "--runc-root", $"{_ctr.Directory}/rc",
            "--cgroup", $"/{TestRun.Token}/{id}", "--mount", $"type=bind,src={_volume},dst=/vol,options=rbind:rw", $"{Repository}:{tag}",
            id, "sh", "-c", Script(name)).ShouldSucceed();
    }

    /// <summary>Adds to the volume who runs the image and who has made it.</summary>
    private static string Script(string name) => $"echo {name} $(cat /maker) >> /vol/log";

    private void StartRegistry()
    {
        File.WriteAllText($"{_docker.Directory}/registry.yml", $"""
            version: 0.1
            log:
              level: error
            storage:
              filesystem:
                rootdirectory: {_docker.Directory}/registry
            http:
              addr: 127.0.0.1:5000
            """);
        _registry = new Server("nsenter", [.. _docker.Host.Enter, "docker-registry", "serve", $"{_docker.Directory}/registry.yml"]);
        _registry.WaitUntil(() => _docker.Host.Run("busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:5000/v2/").Succeeded);
    }

    private void StartContainerd()
    {
        _ctr = Engine("ctr");
        File.WriteAllText($"{_ctr.Directory}/config.toml", $"""
            version = 2
            root = "{_ctr.Directory}/root"
            state = "{_ctr.Directory}/state"
            disabled_plugins = ["io.containerd.grpc.v1.cri"]
            [grpc]
            address = "{_ctr.Directory}/c.sock"
            [ttrpc]
            address = "{_ctr.Directory}/t.sock"
            {ContainerdHost.UnpackConfig}
            """);
        _ctr.GlobalOptions.AddRange(["--address", $"{_ctr.Directory}/c.sock"]);
        _containerd = new Server("nsenter", [.. _docker.Host.Enter, "containerd", "--config", $"{_ctr.Directory}/config.toml"]);
        _containerd.WaitUntil(() => _ctr.Run("version").Succeeded);
    }

    /// <summary>An engine beside Docker, where the registry is.</summary>
    private ClientHost Engine(string program)
    {
        ClientHost client = new("nsenter");
        client.GlobalOptions.AddRange([.. _docker.Host.Enter, Requires.Tool(program)]);
        client.Environment["TMPDIR"] = client.Directory;
        client.Environment["CONTAINERS_CONF"] = $"{client.Directory}/containers.conf";
        File.WriteAllText($"{client.Directory}/containers.conf", ClientHost.ContainersConf);
        return client;
    }

    private static string[] Storage(ClientHost client) =>
        ["--root", $"{client.Directory}/r", "--runroot", $"{client.Directory}/rr", "--storage-driver", "vfs"];
}
