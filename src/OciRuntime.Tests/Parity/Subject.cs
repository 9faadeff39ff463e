using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>One runtime with a bundle, a state directory and a scratch directory of its own, going through a scenario.</summary>
internal sealed partial class Subject : IDisposable
{
    private readonly TestBundle _bundle = new();
    private readonly TestContainer _container;
    private readonly List<int> _received = [];
    private readonly Lazy<DescriptorSocket> _socket = new(static () => new DescriptorSocket());

    public Subject(RuntimeBinary runtime, Scenario scenario)
    {
        Runtime = runtime;
        _bundle.WithCgroup().Args("sleep", "1000");
        scenario.Bundle?.Invoke(_bundle);
        _bundle.Save();
        _container = new TestContainer(_bundle, runtime);
        Directory = TestRun.NewDirectory("parity");
    }

    public RuntimeBinary Runtime { get; }

    public string Directory { get; }

    public TestBundle Bundle => _bundle;

    public string Id => _container.Id;

    public string Root => _container.StateRoot;

    public int InitPid => _container.InitPid;

    /// <summary>A file in the scratch directory.</summary>
    public string Scratch(string name) => Path.Combine(Directory, name);

    /// <summary>A command that no row compares.</summary>
    public CommandResult Call(params string[] words) => _container.Call([.. words.Select(Fill)]);

    /// <summary>What the runtime has sent to {socket}: exactly one descriptor, or this throws.</summary>
    public string Received()
    {
        (int fd, _) = _socket.Value.Receive(TimeSpan.FromSeconds(2));
        string what = new FileInfo($"/proc/self/fd/{fd}").LinkTarget!;
        _received.Add(fd);
        return what.StartsWith("/dev/", StringComparison.Ordinal) && what.EndsWith("ptmx", StringComparison.Ordinal)
            ? "the master of a terminal" : what;
    }

    public string ReadCgroup(string controller, string file) => _container.ReadCgroup(controller, file);

    public void WaitStopped() => _container.WaitStatus("stopped");

    public Outcome Do(Row row)
    {
        row.Before?.Invoke(this);
        string[] words = [.. Words().Matches(row.Command).Select(static match => match.Value.Trim('\'')).Select(Fill)];
        int[] descriptors = [.. Enumerable.Range(0, row.Descriptors)
            .Select(static _ => Syscall.open("/dev/null", OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC))];
        try
        {
            CommandOptions options = new()
            {
                Stdin = row.Stdin,
                ExtraFds = descriptors,
                WorkingDirectory = Directory,
                Env = row.Env.ToDictionary(static pair => pair.Key, pair => (string?)Fill(pair.Value)),
                Timeout = TimeSpan.FromSeconds(15),
            };
            RuntimeBinary runtime = Runtime with { Launcher = [.. row.Launcher.Select(Fill), .. Runtime.Launcher] };
            return new Outcome(row, this, runtime.Run(row.OwnRoot ? words : ["--root", Root, .. words], options));
        }
        finally
        {
            foreach (int fd in descriptors) _ = Syscall.close(fd);
        }
    }

    /// <summary>The status of every container, as `list` has it.</summary>
    public string Containers()
    {
        CommandResult list = _container.Call("list", "--format", "json");
        if (!list.Succeeded) return "none";
        IEnumerable<string> found = (JsonNode.Parse(list.Stdout) as JsonArray ?? []).Select(entry => $"{entry!["id"]} {entry["status"]}");
        return Anonymous(string.Join(", ", found.Order(StringComparer.Ordinal)));
    }

    /// <summary>Takes out what differs between runtimes that behave the same.</summary>
    public string Anonymous(string text) =>
        text.Replace(_bundle.Directory, "{bundle}").Replace(Directory, "{dir}").Replace(Root, "{root}").Replace(Id, "{id}")
        .Replace(Runtime.Path, "{runtime}").Replace(Runtime.Name, "{runtime}");

    public void Dispose()
    {
        foreach (string id in Call("list", "-q").Lines) Call("delete", "--force", id);
        _container.Dispose();
        // Only now: a program whose terminal is hung up ends.
        _received.ForEach(static fd => _ = Syscall.close(fd));
        if (_socket.IsValueCreated) _socket.Value.Dispose();
        _bundle.Dispose();
        Cleaner.UnmountBelow(Directory);
        Cleaner.DeleteTree(Directory);
    }

    private string Fill(string text)
    {
        // It listens from its first mention on.
        if (text.Contains("{socket}")) text = text.Replace("{socket}", _socket.Value.SocketPath);
        return text.Replace("{bundle}", _bundle.Directory).Replace("{dir}", Directory).Replace("{root}", Root).Replace("{id}", Id);
    }

    [GeneratedRegex("'[^']*'|\\S+")]
    private static partial Regex Words();
}
