using System.Text.Json.Nodes;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// One container with an id and a state directory of its own. Each verb returns the <see cref="CommandResult"/> without judging it:
/// write `container.Create().ShouldSucceed()`. Dispose deletes by force and notes in <see cref="Leaks"/> what is left then.
/// </summary>
public sealed class TestContainer : IDisposable, IAsyncDisposable
{
    private readonly RuntimeBinary _runtime;
    private readonly List<RunningCommand> _commands = [];
    private OutputFile? _stdout;
    private OutputFile? _stderr;
    private int _initPid;

    /// <summary>Nothing is created yet. Without a runtime it is <see cref="Ocirun.Binary"/>.</summary>
    public TestContainer(TestBundle bundle, RuntimeBinary? runtime = null, string? root = null)
    {
        Children.Adopt();
        Bundle = bundle;
        _runtime = runtime ?? Ocirun.Binary;
        Id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        StateRoot = root ?? TestRun.NewDirectory("state");
    }

    /// <summary>The bundle it is made from.</summary>
    public TestBundle Bundle { get; }

    /// <summary>The container's id.</summary>
    public string Id { get; }

    /// <summary>The value of --root.</summary>
    public string StateRoot { get; }

    /// <summary>Global options put before the verb, after --root.</summary>
    public List<string> GlobalOptions { get; } = [];

    /// <summary>Time-out, environment, descriptors of all commands, until changed.</summary>
    public CommandOptions Options { get; set; } = new();

    /// <summary>What the container (and create or run) wrote to stdout until now.</summary>
    public string Output => _stdout?.Text ?? "";

    /// <summary>What the container (and create or run) wrote to stderr until now.</summary>
    public string ErrorOutput => _stderr?.Text ?? "";

    /// <summary>`create [options] --bundle B ID`.</summary>
    public CommandResult Create(params string[] options) => Launch("create", options).Wait(Options.Timeout);

    /// <summary>`run [options] --bundle B ID` to its end.</summary>
    public CommandResult Run(params string[] options) => Launch("run", options).Wait(Options.Timeout);

    /// <summary>`run` in the background.</summary>
    public RunningCommand StartRun(params string[] options) => Launch("run", options);

    /// <summary>`start ID`.</summary>
    public CommandResult Start() => Invoke("start");

    /// <summary>`create` and `start`; fails the test when one of them fails.</summary>
    public TestContainer Started(params string[] createOptions)
    {
        try
        {
            Create(createOptions).ShouldSucceed();
            Start().ShouldSucceed();
            return this;
        }
        catch
        {
            // In `using var c = new TestContainer(…).Started()` nothing is assigned yet, so nobody else would dispose it.
            Dispose();
            throw;
        }
    }

    /// <summary>`state ID`.</summary>
    public CommandResult State() => Invoke("state");

    /// <summary>`kill [options] ID [SIGNAL]`.</summary>
    public CommandResult Kill(string? signal = null, params string[] options) =>
        Call(["kill", .. options, Id, .. signal is null ? Array.Empty<string>() : [signal]]);

    /// <summary>`delete [options] ID`.</summary>
    public CommandResult Delete(params string[] options) => Invoke("delete", options);

    /// <summary>`exec ID ARGS`.</summary>
    public CommandResult Exec(params string[] args) => Call(["exec", Id, .. args]);

    /// <summary>`exec OPTIONS ID ARGS`.</summary>
    public CommandResult ExecWith(string[] options, params string[] args) => Call(["exec", .. options, Id, .. args]);

    /// <summary>`exec OPTIONS ID ARGS` in the background.</summary>
    public RunningCommand StartExec(string[] options, params string[] args)
    {
        RunningCommand command = _runtime.Start(WithGlobals(["exec", .. options, Id, .. args]), Options);
        _commands.Add(command);
        return command;
    }

    /// <summary>`VERB [options] ID`: pause, resume, ps, events, update …</summary>
    public CommandResult Invoke(string verb, params string[] options) => Call([verb, .. options, Id]);

    /// <summary>Any command with this container's --root.</summary>
    public CommandResult Call(params string[] args) => Call(args, Options);

    /// <inheritdoc cref="Call(string[])"/>
    public CommandResult Call(IEnumerable<string> args, CommandOptions options) => _runtime.Run(WithGlobals(args), options);

    /// <summary>The `status` of `state`: creating, created, running, stopped, paused.</summary>
    public string Status => StateJson["status"]!.GetValue<string>();

    /// <summary>The output of `state`; fails the test when that fails.</summary>
    public JsonObject StateJson => State().ShouldSucceed().Json.AsObject();

    /// <summary>Pid of the container's first process on the host. Remembered, since a stopped container reports 0.</summary>
    public int InitPid
    {
        get
        {
            if (_initPid == 0) _initPid = StateJson["pid"]!.GetValue<int>();
            return _initPid;
        }
    }

    /// <summary>The first process as the kernel shows it.</summary>
    public ProcessView Init => new(InitPid);

    /// <summary>The content of a file in /proc of the first process.</summary>
    public string Proc(string file) => Init.Proc(file);

    /// <summary>Identity of a namespace of the first process.</summary>
    public ulong NamespaceInode(string name) => Init.NamespaceInode(name);

    /// <summary>Reads a cgroup file, for example `("memory", "memory.limit_in_bytes")`; trimmed.</summary>
    public string ReadCgroup(string controller, string file) =>
        File.ReadAllText(Path.Combine(Init.CgroupDirectory(controller), file)).Trim();

    /// <summary>Waits for the end of the first process of a container made with `create` (the tests are its parent then).</summary>
    public ExitStatus WaitExit(TimeSpan? timeout = null)
    {
        TimeSpan limit = timeout ?? CommandOptions.DefaultTimeout;
        return Children.Wait(InitPid, limit)
            ?? throw new TimeoutException($"init {InitPid} of {Id} did not end within {limit.TotalSeconds} s");
    }

    /// <summary>Waits until `state` says so.</summary>
    public void WaitStatus(string status, TimeSpan? timeout = null) =>
        Eventually.True(() => State() is { Succeeded: true } state
        && state.Json["status"]!.GetValue<string>() == status, $"status {status} of {Id}", timeout);

    /// <summary>Waits until the container has written the text to stdout.</summary>
    public void WaitOutput(string text, TimeSpan? timeout = null) =>
        Eventually.True(() => Output.Contains(text, StringComparison.Ordinal),
        $"\"{text}\" in the output of {Id}, which is \"{Output}\" {ErrorOutput}", timeout);

    /// <inheritdoc/>
    public void Dispose()
    {
        _commands.ForEach(command => command.Dispose());
        if (!Directory.Exists(StateRoot)) return;
        DeleteByForce();
        CheckNothingLeft();
        // A root that several containers share goes with the last of them.
        if (!Directory.EnumerateDirectories(StateRoot).Any()) Cleaner.DeleteTree(StateRoot);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    private RunningCommand Launch(string verb, string[] options)
    {
        Bundle.Save();
        RunningCommand command = _runtime.Start(WithGlobals([verb, .. options, "--bundle", Bundle.Directory, Id]), Options);
        (_stdout, _stderr) = command.Output;
        _commands.Add(command);
        return command;
    }

    private string[] WithGlobals(IEnumerable<string> args) => ["--root", StateRoot, .. GlobalOptions, .. args];

    private void DeleteByForce()
    {
        try
        {
            CommandResult deleted = Call(["delete", "--force", Id], new CommandOptions());
            if (!deleted.Succeeded) Leaks.Report($"`delete --force` must always succeed: {deleted}");
        }
        catch (TimeoutException e)
        {
            Leaks.Report(e.Message);
        }
    }

    private void CheckNothingLeft()
    {
        // Runtimes may keep lock files or other plumbing directly in the root; only what bears the id counts.
        string[] state = Directory.GetFileSystemEntries(StateRoot, $"*{Id}*", SearchOption.AllDirectories);
        Report("state left", state);
        Report("cgroup left", Cgroups());
        if (_initPid != 0 && !Eventually.Becomes(() => !ProcessTree.IsAlive(_initPid), TimeSpan.FromSeconds(2)))
        {
            Leaks.Report($"init {_initPid} of {Id} lives on: {ProcessTree.CommandLine(_initPid)}");
            _ = Syscall.kill(_initPid, Signum.SIGKILL);
        }
    }

    private List<string> Cgroups()
    {
        IEnumerable<string> found = CgroupHost.Find(Id);
        if (Bundle.CgroupsPath is { } path && path.Contains(TestRun.Token, StringComparison.Ordinal))
        {
            // By whole names: …/1 is not part of …/12.
            found = found.Concat(CgroupHost.Find(path).Where(cgroup => $"{cgroup}/".Contains($"{path}/", StringComparison.Ordinal)));
        }
        return [.. found];
    }

    private static void Report(string what, IReadOnlyCollection<string> left)
    {
        if (left.Count > 0) Leaks.Report($"{what}: {string.Join(", ", left)}");
    }
}
