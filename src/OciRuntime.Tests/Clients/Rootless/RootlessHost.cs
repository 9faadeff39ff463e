using Mono.Unix.Native;
using OciRuntime.Tests.Rootless;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Rootless;

/// <summary>
/// An ordinary user with what Podman and Buildah want: ranges of ids, a home, a runtime directory. His commands run in a network and a
/// mount namespace of their own: the first is the machine's for them, whose loopback and ports nobody else uses, and in the second he may
/// open the devices that udev gives to everybody.
/// </summary>
internal sealed class RootlessHost : IDisposable
{
    private readonly RunningCommand _holder;
    private readonly HashSet<int> _resident;

    public RootlessHost()
    {
        User = OrdinaryUser.WithRanges(withAnyRuntime: true);
        Home = User.NewDirectory();
        string devices = Directory.CreateDirectory($"{Home}/devices").FullName;
        _holder = Command.Start(Requires.Tool("unshare"), "--net", "--mount", "sh", "-ec", $"""
            ip link set lo up
            mount -t tmpfs -o mode=755 none {devices}
            for device in net/tun:200 fuse:229; do
              [ -e /dev/$(echo $device | cut -d: -f1) ] || continue
              mknod -m 666 {devices}/$(echo $device | cut -d: -f2) c 10 $(echo $device | cut -d: -f2)
              mount --bind {devices}/$(echo $device | cut -d: -f2) /dev/$(echo $device | cut -d: -f1)
            done
            echo ready
            exec sleep 1000
            """);
        Eventually.True(() => _holder.Stdout == "ready\n", "the namespaces");
        File.WriteAllText($"{Home}/containers.conf", $"""
            {ClientHost.ContainersConf}
            runtime = "{Ocirun.Binary.Name}"
            runtime_supports_json = ["{Ocirun.Binary.Name}"]
            runtime_supports_nocgroup = ["{Ocirun.Binary.Name}", "crun"]
            [engine.runtimes]
            {Ocirun.Binary.Name} = ["{Runtime}"]
            """);
        ClientImage.WriteRootfs($"{Home}/bb.tar");
        Podman("import", "-q", "--change", "ENV PATH=/bin", $"{Home}/bb.tar", "bb").ShouldSucceed();
        // One that keeps Podman's user namespace until the end.
        _resident = [.. Processes()];
    }

    public OrdinaryUser User { get; }

    /// <summary>His home, and where his commands run.</summary>
    public string Home { get; }

    /// <summary>The runtime under test, in a place that he can reach.</summary>
    public string Runtime => Path.Combine(User.Directory, Ocirun.Binary.Name);

    /// <summary>Where containers' state is kept without --root.</summary>
    public string StateDirectory => Path.Combine(User.RuntimeDirectory, Ocirun.Binary.Name);

    private IReadOnlyList<string> Inside =>
        [Requires.Tool("nsenter"), $"--net=/proc/{_holder.Pid}/ns/net", $"--mount=/proc/{_holder.Pid}/ns/mnt"];

    public CommandResult Podman(params string[] args) =>
        Run([Requires.Tool("podman"), "--storage-driver", "vfs", .. args], new CommandOptions());

    public CommandResult Podman(CommandOptions options, params string[] args) =>
        Run([Requires.Tool("podman"), "--storage-driver", "vfs", .. args], options);

    public CommandResult Buildah(params string[] args) =>
        Run([Requires.Tool("buildah"), "--storage-driver", "vfs", .. args], new CommandOptions());

    /// <summary>A command of his, any.</summary>
    public CommandResult Run(IReadOnlyList<string> command, CommandOptions options)
    {
        // What a test asks for has to pass `env -i`.
        string[] variables = [
            $"HOME={Home}", $"CONTAINERS_CONF={Home}/containers.conf", $"TMPDIR={Home}", "BUILDAH_ISOLATION=oci",
            $"BUILDAH_RUNTIME={Runtime}", $"{ClientHost.WithoutCgroupV1Warning}=1",
            .. options.Env.Select(variable => $"{variable.Key}={variable.Value}")];
        string[] line = [.. Inside, .. User.With(variables).Launcher, "env", $"--chdir={Home}", .. command];
        return Command.Run(line[0], line[1..], options with { Timeout = TimeSpan.FromSeconds(60) });
    }

    /// <summary>With a terminal as stdin, stdout and stderr.</summary>
    public CommandResult RunInTerminal(params string[] command) =>
        Run([Requires.Tool("script"), "-qec", string.Join(' ', command.Select(word => $"'{word.Replace("'", "'\\''")}'")), "/dev/null"],
        new CommandOptions());

    /// <summary>Podman with a terminal.</summary>
    public CommandResult PodmanInTerminal(params string[] args) => RunInTerminal(["podman", "--storage-driver", "vfs", .. args]);

    /// <summary>Starts a command as the machine's root, whose network is the user's.</summary>
    public RunningCommand Start(params string[] command) => Command.Start(Inside[0], [.. Inside.Skip(1), .. command]);

    /// <summary>A container in the background.</summary>
    public void Detached(string name, params string[] args) => Podman(["run", "--detach", "--name", name, .. args]).ShouldSucceed();

    public string Inspect(string name, string format) => Podman("inspect", "--format", format, name).ShouldSucceed().Text;

    public void WaitLog(string name, string text) =>
        Eventually.True(() => Podman("logs", name).Stdout.Contains(text), $"\"{text}\" in the log of {name}");

    /// <summary>A directory in his home, and his.</summary>
    public string NewDirectory(string name)
    {
        string path = Directory.CreateDirectory(Path.Combine(Home, name)).FullName;
        User.Own(path);
        return path;
    }

    /// <summary>A container's first process.</summary>
    public ProcessView Init(string name) => new(int.Parse(Inspect(name, "{{.State.Pid}}")));

    /// <summary>After a test: removes its containers, and then no process and no state of any container is there.</summary>
    public void RemoveContainers()
    {
        Podman("pod", "rm", "--all", "--force").ShouldSucceed();
        Podman("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        IReadOnlyList<string> left = [];
        if (!Eventually.Becomes(() => (left = [.. Traces()]).Count == 0, TimeSpan.FromSeconds(10))) left.ToList().ForEach(Leaks.Report);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (int pid in Processes()) _ = Syscall.kill(pid, Signum.SIGKILL);
        Eventually.True(() => !Processes().Any(), "the end of the user's processes");
        _holder.Dispose();
        User.Dispose();
    }

    private IEnumerable<string> Traces()
    {
        foreach (int pid in Processes().Except(_resident)) yield return $"process left: {pid} {ProcessTree.CommandLine(pid)}";
        if (!Directory.Exists(StateDirectory)) yield break;
        foreach (string path in Directory.GetFileSystemEntries(StateDirectory)) yield return $"state left: {path}";
    }

    /// <summary>Everything that runs with his id or one of his range.</summary>
    private IEnumerable<int> Processes() =>
        from directory in Directory.GetDirectories("/proc")
        where int.TryParse(Path.GetFileName(directory), out _)
        let line = ProcessTree.ReadOrEmpty($"{directory}/status").Split('\n')
        .FirstOrDefault(line => line.StartsWith("Uid:", StringComparison.Ordinal))
        where line is not null
        let uid = uint.Parse(line.Split('\t')[1])
        where uid == User.Uid || (uid >= User.Ranges.Uids && uid - User.Ranges.Uids < 65536)
        let pid = int.Parse(Path.GetFileName(directory))
        where ProcessTree.IsAlive(pid)
        select pid;
}
