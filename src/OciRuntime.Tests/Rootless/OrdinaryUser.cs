using System.Text.Json.Nodes;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Rootless;

/// <summary>
/// A user of the host without privilege, with a directory of his own and a copy of the runtime in it, as the checkout may lie where only
/// root can go. Everything runs with a clean environment.
/// </summary>
internal sealed class OrdinaryUser : IDisposable
{
    // Nobody's on a machine where ids are given out from 1000 on and ranges from 100000 on.
    private const uint UnknownUid = 61234;

    private static readonly string[] Databases = ["/etc/passwd", "/etc/group", "/etc/subuid", "/etc/subgid"];

    private readonly bool _isKnown;
    private readonly Dictionary<string, string?> _before = [];
    private readonly List<string> _directories = [];

    private OrdinaryUser(uint uid, uint gid, bool isKnown)
    {
        (Uid, Gid, _isKnown) = (uid, gid, isKnown);
        Requires.UserNamespacesForAll();
        Directory = NewDirectory();
        RuntimeDirectory = NewDirectory();
        File.SetUnixFileMode(RuntimeDirectory, (UnixFileMode)0b111_000_000);
        File.Copy(Ocirun.Binary.Path, Path.Combine(Directory, Ocirun.Binary.Name));
    }

    public uint Uid { get; }
    public uint Gid { get; }

    /// <summary>His own.</summary>
    public string Directory { get; }

    /// <summary>What $XDG_RUNTIME_DIR names.</summary>
    public string RuntimeDirectory { get; }

    /// <summary>First id of his range in /etc/subuid, and in /etc/subgid.</summary>
    public (uint Uids, uint Gids) Ranges { get; private set; }

    /// <summary>The runtime as he calls it.</summary>
    public RuntimeBinary Runtime => With();

    /// <summary>A user that no database knows, and who therefore has no ranges.</summary>
    public static OrdinaryUser WithoutRanges()
    {
        Requires.OcirunItself();
        return new(UnknownUid, UnknownUid, isKnown: false);
    }

    /// <summary>A user made for this run, with ranges of 65536 ids that nobody else has.</summary>
    public static OrdinaryUser WithRanges(bool withAnyRuntime = false)
    {
        if (!withAnyRuntime) Requires.OcirunItself();
        Dictionary<string, string?> before =
            Databases.ToDictionary(path => path, path => File.Exists(path) ? File.ReadAllText(path) : null);
        // useradd gives ranges only where the files exist.
        foreach (string path in Databases.Where(path => !File.Exists(path))) File.WriteAllText(path, "");
        Command.Run(Requires.Tool("useradd"), "--no-create-home", "--home-dir", "/nonexistent", "--user-group", "-K", "SUB_UID_COUNT=65536",
            "-K", "SUB_GID_COUNT=65536", TestRun.Token).ShouldSucceed();
        string[] entry = Lines("/etc/passwd")[0];
        OrdinaryUser user = new(uint.Parse(entry[2]), uint.Parse(entry[3]), isKnown: true)
        {
            Ranges = (uint.Parse(Lines("/etc/subuid")[0][1]), uint.Parse(Lines("/etc/subgid")[0][1])),
        };
        foreach ((string path, string? text) in before) user._before[path] = text;
        return user;
    }

    /// <summary>The runtime with more variables, or others.</summary>
    public RuntimeBinary With(params string[] variables) =>
        new(Path.Combine(Directory, Ocirun.Binary.Name)) { Launcher = Launcher(variables) };

    /// <summary>The runtime without $XDG_RUNTIME_DIR.</summary>
    public RuntimeBinary WithoutRuntimeDirectory =>
        new(Path.Combine(Directory, Ocirun.Binary.Name))
        {
            Launcher = [.. Launcher().Where(word => !word.StartsWith("XDG_", StringComparison.Ordinal))]
        };

    /// <summary>A shell script.</summary>
    public CommandResult Script(string script, CommandOptions? options = null)
    {
        string[] line = [.. Launcher(), "sh", "-ec", script];
        return Command.Run(line[0], line[1..], options ?? new CommandOptions { WorkingDirectory = Directory });
    }

    /// <summary>An empty directory that is his, until he goes.</summary>
    public string NewDirectory()
    {
        string path = TestRun.NewDirectory("users");
        Own(path);
        _directories.Add(path);
        return path;
    }

    /// <summary>One that goes with a bundle.</summary>
    public string NewDirectory(TestBundle bundle)
    {
        string path = System.IO.Directory.CreateDirectory(Path.Combine(bundle.Directory, "more")).FullName;
        Own(path);
        return path;
    }

    /// <summary>Gives him directories; files in them may be shared with others' bundles.</summary>
    public void Own(string tree) =>
        Command.Run("find", tree, "-type", "d", "-exec", "chown", $"{Uid}:{Gid}", "{}", "+").ShouldSucceed();

    /// <summary>What `ocirun spec --rootless` writes for him, without a terminal, in a bundle that is his.</summary>
    public TestBundle Bundle()
    {
        TestBundle bundle = new();
        Own(bundle.Directory);
        Runtime.Run("spec", "--rootless", "--bundle", bundle.Directory).ShouldSucceed();
        bundle.Config = JsonNode.Parse(File.ReadAllText(bundle.ConfigPath))!.AsObject();
        bundle.Process["terminal"] = false;
        return bundle;
    }

    /// <summary>A container of his.</summary>
    public TestContainer Container(TestBundle bundle, params string[] variables)
    {
        // Mount points that a test put into the root file system.
        Own(bundle.Rootfs);
        return new(bundle, With(variables), NewDirectory());
    }

    public void Dispose()
    {
        _directories.ForEach(Cleaner.DeleteTree);
        if (!_isKnown) return;
        Command.Run(Requires.Tool("userdel"), TestRun.Token).ShouldSucceed();
        foreach ((string path, string? text) in _before)
        {
            if (text is null) File.Delete(path);
            else if (File.ReadAllText(path) != text) Leaks.Report($"{path} is not as before:\n{File.ReadAllText(path)}");
        }
    }

    private static string[][] Lines(string database) =>
        [.. File.ReadAllLines(database).Select(line => line.Split(':')).Where(fields => fields[0] == TestRun.Token)];

    private string[] Launcher(params string[] variables) =>
    [
        Requires.Tool("setpriv"), "--reuid", $"{Uid}", "--regid", $"{Gid}", "--clear-groups", "--inh-caps=-all",
        "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", $"XDG_RUNTIME_DIR={RuntimeDirectory}", .. variables,
    ];
}
