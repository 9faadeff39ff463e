using NUnit.Framework;
using OciRuntime.Tests.Clients.Containerd.Cri;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd;

/// <summary>
/// One Debian containerd for all tests of this namespace, with two ways in: ctr, and the Container Runtime Interface, over which the
/// kubelet drives it. It lives in a network namespace of its own, so that neither a pod's bridge nor a pod on "the host's" network comes
/// near the machine's.
/// </summary>
[SetUpFixture]
public sealed class ContainerdHost
{
    /// <summary>What holds a pod's namespaces.</summary>
    private const string PauseImage = "docker.io/library/pause:local";

    private const string StockType = "io.containerd.runc.v2";

    /// <summary>
    /// The default runtime's name in config.toml, as docs/engines/containerd.md has it, and a second one with the same binary.
    /// </summary>
    internal const string DefaultHandler = "ocirun", OtherHandler = "ocirun-other";

    /// <summary>
    /// Our own shim by its path, in the place of containerd's, as docs/engines/containerd.md has it; the same with options; and by its own
    /// type, with options in the configuration, and in a file that it names. containerd 1.6 knows it by its type only.
    /// </summary>
    internal const string OwnHandler = "ocirun-shim", OptionsHandler = "ocirun-options", TypeHandler = "ocirun-type",
        FileHandler = "ocirun-file";

    /// <summary>
    /// For config.toml: in containerd 2, what pulls and imports images unpacks them for the snapshotters that it knows from there,
    /// whichever one ctr names.
    /// </summary>
    internal static readonly string UnpackConfig = $"""
        [[plugins."io.containerd.transfer.v1.local".unpack_config]]
        platform = "linux/{ClientImage.OciArchitecture}"
        snapshotter = "native"
        """;

    /// <summary>An option of one handler.</summary>
    internal const int IoGid = 1234;

    /// <summary>All that config.toml has.</summary>
    internal static readonly string[] Handlers = [DefaultHandler, OtherHandler, OwnHandler, OptionsHandler, TypeHandler, FileHandler];

    // Where libcni keeps the results of its plugins; it cannot be told another place.
    private const string CniCache = "/var/lib/cni";
    private static readonly bool CniCacheWasThere = System.IO.Directory.Exists(CniCache);
    private static RunningCommand? _network;
    private static Daemon? _containerd;

    /// <summary>The shim of the tests that run now.</summary>
    internal static ShimKind Shim { get; private set; }

    /// <summary>The handler of pods that name none.</summary>
    internal static string Handler => Shim == ShimKind.Own ? OwnHandler : DefaultHandler;

    /// <summary>Those of this shim that keep their state elsewhere.</summary>
    internal static string[] HandlersToChoose =>
        Shim == ShimKind.Stock ? [OtherHandler]
        : Engine.ContainerdKnowsPaths ? [OptionsHandler, TypeHandler, FileHandler] : [FileHandler];

    internal static ClientHost Ctr { get; private set; } = null!;

    internal static CriClient Cri { get; private set; } = null!;

    internal static string Directory => Ctr.Directory;

    /// <summary>
    /// A directory in which the runtime has runc's name, and its own as a shim; the first one that containerd looks into.
    /// </summary>
    private static string RuncDirectory => $"{Directory}/bin";

    /// <summary>Of the network namespace's keeper: containerd's network is found through it.</summary>
    internal static int NetworkPid => _network!.Pid;

    /// <summary>Reports what does not go: the shim deletes once more by force after its last answer.</summary>
    internal static void WaitForTheEndOfState(Func<string[]> stateLeft)
    {
        string[] left = [];
        if (!Eventually.Becomes(() => (left = stateLeft()).Length == 0, TimeSpan.FromSeconds(5)))
            Leaks.Report($"state left: {string.Join(' ', left)}");
    }

    /// <summary>Where the runtime keeps its state when a handler of the Container Runtime Interface has called it.</summary>
    internal static string RuntimeRoot(string handler) => handler == OwnHandler ? ShimKinds.OwnRoot : $"{Directory}/rc-{handler}";

    /// <summary>Tests that follow have this shim; only ocirun has one of its own.</summary>
    internal static void Use(ShimKind shim)
    {
        if (shim == ShimKind.Own && !Ocirun.IsUnderTest) Assert.Ignore($"{Ocirun.Binary.Name} is no shim");
        Shim = shim;
    }

    [OneTimeSetUp]
    public void Begin()
    {
        Ctr = new ClientHost("ctr");
        Ctr.GlobalOptions.AddRange(["--address", $"{Directory}/c.sock"]);
        Cri = new CriClient($"{Directory}/c.sock");
        WriteConfiguration();
        _network = Command.Start(Requires.Tool("unshare"), "--net", "sh", "-c", "ip link set lo up && echo up && exec sleep 1000");
        Eventually.True(() => _network.Stdout.Length > 0, "a network namespace");
        _containerd = new Daemon();
        ImportImages();
        // The images are announced to the other half of containerd as events.
        Eventually.True(() => Cri.HasImage(ClientImage.Name) && Cri.HasImage(PauseImage), "both images");
    }

    /// <inheritdoc cref="Daemon.Restart"/>
    internal static void Restart(Action? meanwhile = null) => _containerd!.Restart(meanwhile);

    [OneTimeTearDown]
    public void End()
    {
        Cri?.Dispose();
        _containerd?.Dispose();
        _network?.Dispose();
        Ctr?.Dispose();
        if (!CniCacheWasThere) Cleaner.DeleteTree(CniCache);
    }

    /// <summary>ctr has a namespace of its own; Kubernetes' is k8s.io.</summary>
    private static void ImportImages()
    {
        ClientImage.WriteOciLayout($"{Directory}/image.tar");
        ClientImage.WriteOciLayout($"{Directory}/pause.tar", PauseImage, "sleep", "100000");
        foreach ((string user, string image) in ((string, string)[])[("default", "image"), ("k8s.io", "image"), ("k8s.io", "pause")])
        {
            Ctr.Run("--namespace", user, "image", "import", "--snapshotter", "native", $"{Directory}/{image}.tar").ShouldSucceed();
        }
    }

    private static void WriteConfiguration()
    {
        // The score of a pod's own process would be lowered, for which CAP_SYS_RESOURCE is needed; /opt/containerd would be made.
        File.WriteAllText($"{Directory}/config.toml", $"""
            version = 2
            root = "{Directory}/root"
            state = "{Directory}/state"
            disabled_plugins = ["io.containerd.internal.v1.opt"]
            [grpc]
            address = "{Directory}/c.sock"
            [ttrpc]
            address = "{Directory}/t.sock"
            [plugins."io.containerd.grpc.v1.cri"]
            sandbox_image = "{PauseImage}"
            restrict_oom_score_adj = true
            netns_mounts_under_state_dir = true
            [plugins."io.containerd.grpc.v1.cri".cni]
            bin_dir = "/usr/lib/cni"
            conf_dir = "{Directory}/cni"
            [plugins."io.containerd.grpc.v1.cri".containerd]
            snapshotter = "native"
            default_runtime_name = "{DefaultHandler}"
            {StockHandler(DefaultHandler)}
            {StockHandler(OtherHandler)}
            {OwnHandlers()}
            {UnpackConfig}
            """);
        File.WriteAllText($"{Directory}/shim.toml", $"# of one handler\nRoot = \"{RuntimeRoot(FileHandler)}\"\n");
        System.IO.Directory.CreateDirectory(RuncDirectory);
        File.CreateSymbolicLink($"{RuncDirectory}/runc", Ocirun.Binary.Path);
        File.CreateSymbolicLink($"{RuncDirectory}/{ShimKinds.Program}", Ocirun.Binary.Path);
        System.IO.Directory.CreateDirectory($"{Directory}/cni");
        File.WriteAllText($"{Directory}/cni/bridge.conflist", $$"""
            {"cniVersion": "1.0.0", "name": "test", "plugins": [{"type": "bridge", "bridge": "test0", "isGateway": true,
             "ipam": {"type": "host-local", "dataDir": "{{Directory}}/ipam", "ranges": [[{"subnet": "10.88.77.0/24"}]]} }]}
            """);
    }

    private static string StockHandler(string name) => HandlerTable(name, StockType, $"""
        BinaryName = "{Ocirun.Binary.Path}"
        {RootOption(name)}
        """);

    private static string OwnHandlers()
    {
        string path = Engine.ContainerdKnowsPaths ? $"{StockType}\"\nruntime_path = \"{RuncDirectory}/{ShimKinds.Program}"
            : ShimKinds.OwnType;
        return $"""
            {HandlerTable(OwnHandler, path, "")}
            {HandlerTable(OptionsHandler, path, $"{RootOption(OptionsHandler)}\nIoGid = {IoGid}")}
            {HandlerTable(TypeHandler, ShimKinds.OwnType, RootOption(TypeHandler))}
            {HandlerTable(FileHandler, ShimKinds.OwnType, $"ConfigPath = \"{Directory}/shim.toml\"")}
            """;
    }

    private static string RootOption(string handler) => $"Root = \"{RuntimeRoot(handler)}\"";

    private static string HandlerTable(string name, string type, string options) => $"""
        [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{name}]
        runtime_type = "{type}"
        {(options.Length > 0 ? $"[plugins.\"io.containerd.grpc.v1.cri\".containerd.runtimes.{name}.options]" : "")}
        {options}
        """;

    private sealed class Daemon : IDisposable
    {
        private Server _server = Start();

        /// <summary>
        /// Stops containerd as its service manager does, and starts it again; the shims and containers are none of its children.
        /// </summary>
        /// <param name="meanwhile">What happens while it is away.</param>
        public void Restart(Action? meanwhile)
        {
            _server.Dispose();
            meanwhile?.Invoke();
            _server = Start();
            LeavesNothingAttribute.Keep(_server.Pid);
        }

        public void Dispose() => _server.Dispose();

        private static Server Start()
        {
            Server server = new("nsenter", "--target", NetworkPid.ToString(), "--net",
                "env", $"PATH={RuncDirectory}:{Environment.GetEnvironmentVariable("PATH")}", Requires.Tool("containerd"), "--config",
                $"{Directory}/config.toml");
            server.WaitUntil(() => Ctr.Run("version").Succeeded && Cri.IsReady);
            return server;
        }
    }
}
