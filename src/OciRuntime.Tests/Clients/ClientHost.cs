using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>
/// What the clients have in common: a directory for everything they store, a container engine's command line, the same under a terminal,
/// and the end, at which nothing that bears the ID of one of their containers may be left on the host.
/// </summary>
internal sealed class ClientHost : IDisposable
{
    /// <summary>
    /// Podman's and Buildah's defaults for containers: their own limits are above the hard ones of a machine without CAP_SYS_RESOURCE,
    /// their own capabilities change from version to version.
    /// </summary>
    public const string ContainersSection = """
        [containers]
        default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
        default_capabilities = [
          "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT",
          "MKNOD", "AUDIT_WRITE", "SETFCAP"
        ]
        """;

    /// <summary>
    /// Podman's and Buildah's configuration, where there is no systemd and no journal to rely on. It ends in the section [engine].
    /// </summary>
    public const string ContainersConf = $"""
        {ContainersSection}
        [network]
        network_backend = "netavark"
        [engine]
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        """;

    /// <summary>Keeps a warning of Podman 5's out of what is compared: that it will not do without cgroup v2 for ever.</summary>
    public const string WithoutCgroupV1Warning = "PODMAN_IGNORE_CGROUPSV1_WARNING";

    private readonly string _program;
    private readonly HashSet<int> _before = [.. ProcessTree.DescendantsOf(System.Environment.ProcessId)];
    private int _containers;

    public ClientHost(string program)
    {
        _program = Requires.Tool(program);
        // Short: the clients put sockets below it, with container IDs of 64 digits in their paths.
        Directory = TestRun.NewDirectory("c");
        System.IO.Directory.CreateDirectory(Cids);
    }

    public string Directory { get; }

    /// <summary>Options before the client's own verb.</summary>
    public List<string> GlobalOptions { get; } = [];

    public Dictionary<string, string?> Environment { get; } = new() { [WithoutCgroupV1Warning] = "1" };

    /// <summary>A process whose network and mount namespace the client is to live in; null for those of the tests.</summary>
    public int? NamespacesOf { get; set; }

    private string Cids => Path.Combine(Directory, "cids");

    private CommandOptions Options => new() { Env = Environment, Timeout = TimeSpan.FromSeconds(60) };

    /// <summary>Where the client writes the ID of its next container.</summary>
    public string NextCidFile() => Path.Combine(Cids, (++_containers).ToString());

    private string[] Words(string[] args) =>
        [.. NamespacesOf is { } pid ? (string[])[Requires.Tool("nsenter"), $"--target={pid}", "--net", "--mount"]
        : [], _program, .. GlobalOptions, .. args];

    public CommandResult Run(params string[] args) => Run(Options, args);

    public CommandResult RunWithInput(string input, params string[] args) => Run(Options with { Stdin = input }, args);

    /// <summary>With descriptors, a terminal or variables of the caller's; the client's own variables are added.</summary>
    public CommandResult Run(CommandOptions options, params string[] args)
    {
        string[] words = Words(args);
        Dictionary<string, string?> variables = new(options.Env);
        foreach ((string name, string? value) in Environment) variables[name] = value;
        return Command.Run(words[0], words[1..], options with { Timeout = Options.Timeout, Env = variables });
    }

    /// <summary>Without waiting for its end, for what goes on reporting.</summary>
    public RunningCommand Start(params string[] args)
    {
        string[] words = Words(args);
        return Command.Start(words[0], words[1..], Options);
    }

    /// <summary>With a terminal as stdin, stdout and stderr: script(1) makes one and copies what appears on it.</summary>
    public CommandResult RunInTerminal(params string[] args) => RunInTerminalWithInput(null, args);

    /// <summary>What is typed there comes from <paramref name="input"/>.</summary>
    public CommandResult RunInTerminalWithInput(string? input, params string[] args)
    {
        string line = string.Join(' ', Words(args).Select(word => $"'{word.Replace("'", "'\\''")}'"));
        return Command.Run(Requires.Tool("script"), ["-qec", line, "/dev/null"], Options with { Stdin = input });
    }

    /// <summary>After the last container of a test: monitors end and clean up after it a little later than their container.</summary>
    public void CheckNothingLeft()
    {
        string[] ids = [.. System.IO.Directory.GetFiles(Cids).Select(file => File.ReadAllText(file).Trim()).Where(id => id.Length > 0)];
        IReadOnlyList<string> left = [];
        if (!Eventually.Becomes(() => (left = [.. ids.SelectMany(Traces)]).Count == 0, TimeSpan.FromSeconds(10)))
            left.ToList().ForEach(Leaks.Report);
        System.IO.Directory.GetFiles(Cids).ToList().ForEach(File.Delete);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Eventually.Becomes(() => !ProcessTree.DescendantsOf(System.Environment.ProcessId).Except(_before).Any(), TimeSpan.FromSeconds(10));
        Cleaner.UnmountBelow(Directory);
        Cleaner.DeleteTree(Directory);
    }

    private IEnumerable<string> Traces(string id)
    {
        foreach (string cgroup in CgroupHost.Find(id)) yield return $"cgroup left: {cgroup}";
        foreach (MountInfo mount in MountInfo.Of(NamespacesOf).Where(mount => mount.MountPoint.Contains(id)))
            yield return $"mount left: {mount.MountPoint}";
        string state = $"{(NamespacesOf is { } pid ? $"/proc/{pid}/root" : "")}/run/{Ocirun.Binary.Name}/{id}";
        if (System.IO.Directory.Exists(state)) yield return $"state left: {state}";
        foreach (int process in ProcessTree.DescendantsOf(System.Environment.ProcessId)
            .Where(process => ProcessTree.CommandLine(process).Contains(id)))
        {
            yield return $"process left: {process} {ProcessTree.CommandLine(process)}";
        }
    }
}
