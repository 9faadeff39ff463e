using System.Text.Json.Nodes;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Docker;

/// <summary>
/// Debian's Docker Engine with the runtime under test as its default, in a <see cref="PrivateHost"/>, with bridge, packet filter and name
/// service as an administrator gets them; and the command line to it.
/// </summary>
internal sealed class DockerHost : IDisposable
{
    /// <summary>The only image there is, unless a test makes another.</summary>
    public const string Image = "bb";

    private readonly ClientHost _client;
    private readonly PrivateHost _host;
    private readonly ShimKind _shim;
    private Server? _dockerd;

    /// <summary>Starts the daemon and gives it its image; the settings come on top of what daemon.json has in every test.</summary>
    public DockerHost(ShimKind shim = ShimKind.Stock, JsonObject? settings = null, params (string Path, string Content)[] files)
    {
        if (shim == ShimKind.Own)
        {
            Requires.OcirunItself();
            if (!Engine.DockerKnowsShims) Assert.Ignore("missing: Docker 23");
        }
        _shim = shim;
        // Debian's own by its path: an upstream one beside it needs a plug-in for BuildKit.
        _client = new ClientHost("/usr/bin/docker");
        _client.GlobalOptions.AddRange(["--host", $"unix://{Directory}/d.sock"]);
        _client.Environment["DOCKER_CONFIG"] = $"{Directory}/config";
        File.WriteAllText($"{Directory}/daemon.json", Configuration(settings ?? []).ToJsonString());
        // BuildKit asks no configuration for its runtime, but $PATH for runc.
        System.IO.Directory.CreateDirectory($"{Directory}/bin");
        foreach (string name in (string[])["runc", ShimKinds.Program])
            File.CreateSymbolicLink($"{Directory}/bin/{name}", Ocirun.Binary.Path);
        _host = new PrivateHost(Directory, files);
        Start();
        ClientImage.WriteRootfs($"{Directory}/bb.tar");
        Run("import", $"{Directory}/bb.tar", Image).ShouldSucceed();
    }

    public string Directory => _client.Directory;

    public PrivateHost Host => _host;

    public int DaemonPid => int.Parse(File.ReadAllText($"{Directory}/pid"));

    public void Start()
    {
        _dockerd = new Server("nsenter",
            [.. _host.Enter, "env", $"PATH={Directory}/bin:{Environment.GetEnvironmentVariable("PATH")}", "dockerd", "--config-file",
            $"{Directory}/daemon.json", .. Engine.DockerdOptions]);
        _dockerd.WaitUntil(() => Run("version").Succeeded);
    }

    /// <summary>Ends the daemon; with live-restore the containers go on.</summary>
    public void Stop() => _dockerd?.Dispose();

    /// <summary>Ends the daemon without giving it a chance to do anything.</summary>
    public void Kill()
    {
        _ = Syscall.kill(DaemonPid, Signum.SIGKILL);
        _dockerd?.WaitForEnd();
    }

    /// <summary>Any command of the client.</summary>
    public CommandResult Run(params string[] args) => _client.Run(args);

    public CommandResult RunWithInput(string input, params string[] args) => _client.RunWithInput(input, args);

    public CommandResult RunInTerminal(params string[] args) => _client.RunInTerminal(args);

    /// <summary>`docker build` by one of its two builders.</summary>
    public CommandResult Build(bool buildKit, params string[] args)
    {
        _client.Environment["DOCKER_BUILDKIT"] = buildKit ? "1" : "0";
        return Run(["build", .. args]);
    }

    /// <summary>`docker run --rm` with these options, image and command.</summary>
    public CommandResult RunContainer(params string[] args) => Run(RunArguments(args));

    /// <summary>The same for those who want to add input or a terminal.</summary>
    public string[] RunArguments(params string[] args) => ["run", "--rm", "--cidfile", _client.NextCidFile(), .. args];

    /// <summary>`docker run --detach` with these options, image and command; the container's first process as the host sees it.</summary>
    public ProcessView Detached(string name, params string[] args)
    {
        Run(["run", "--detach", "--name", name, "--cidfile", _client.NextCidFile(), .. args]).ShouldSucceed();
        return Init(name);
    }

    public ProcessView Init(string name) => new(int.Parse(Inspect(name, "{{.State.Pid}}")));

    public string Inspect(string name, string format) => Run("inspect", "--format", format, name).ShouldSucceed().Text;

    public void WaitFor(string name, string format, string value)
    {
        Eventually.Becomes(() => Inspect(name, format) == value);
        Inspect(name, format).Should().Be(value, $"{format} of {name}");
    }

    private string[] Containers() => Run("ps", "--all", "--quiet").ShouldSucceed().Lines;

    /// <summary>Removes every container, volume and network, and reports what is left of them.</summary>
    public void Clear()
    {
        // Those of a service that is drained dockerd may be removing itself.
        if (Containers() is [_, ..] all && !Run(["rm", "--force", "--volumes", .. all]).Succeeded)
            Eventually.True(() => Containers().Length == 0, "no container");
        Run("volume", "prune", "--force").ShouldSucceed();
        Run("network", "prune", "--force").ShouldSucceed();
        _client.CheckNothingLeft();
        string[] left = [];
        if (!Eventually.Becomes(() => (left = Left()).Length == 0, TimeSpan.FromSeconds(5))) left.ToList().ForEach(Leaks.Report);
        // BuildKit makes a parent for its containers, and leaves it to the next ones.
        Cleaner.RemoveCgroups($"{TestRun.Token}/buildkit");
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Stop();
        _host.Dispose();
        _client.Dispose();
    }

    private JsonObject Configuration(JsonObject settings)
    {
        JsonObject runtime = _shim == ShimKind.Own ? new() { ["runtimeType"] = ShimKinds.OwnType }
            : new() { ["path"] = Ocirun.Binary.Path };
        JsonObject configuration = new()
        {
            ["runtimes"] = new JsonObject { ["ocirun"] = runtime },
            ["default-runtime"] = "ocirun",
            ["hosts"] = new JsonArray($"unix://{Directory}/d.sock"),
            ["data-root"] = $"{Directory}/d",
            ["exec-root"] = $"{Directory}/x",
            ["pidfile"] = $"{Directory}/pid",
            // Else /etc/docker/key.json is made.
            ["deprecated-key-path"] = $"{Directory}/key.json",
            ["cgroup-parent"] = $"/{TestRun.Token}",
            ["log-level"] = "warn",
        };
        foreach ((string name, JsonNode? value) in settings) configuration[name] = value?.DeepClone();
        return configuration;
    }

    /// <summary>
    /// What containers could leave where the host cannot see it: state of the runtime and of containerd, and mounts of the engine's.
    /// </summary>
    private string[] Left() =>
    [
        .. System.IO.Directory.GetDirectories($"{Directory}/x", "moby", SearchOption.AllDirectories)
            .Append($"/proc/{_host.Pid}/root{ShimKinds.OwnRoot}/moby").Where(System.IO.Directory.Exists)
            .SelectMany(System.IO.Directory.GetFileSystemEntries),
        .. MountInfo.Of(_host.Pid).Select(mount => mount.MountPoint)
            .Where(path => path.Contains("/containers/") || path.EndsWith("/merged")
            || (path.Contains("/x/netns/") && !path.EndsWith("/default"))).Select(path => $"mount left: {path}"),
    ];
}
