using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd;

/// <summary>Tests that make containers with ctr, and see to their end.</summary>
[ForeignDaemon]
[TestFixture(ShimKind.Stock, Category = "StockShim")]
[TestFixture(ShimKind.Own, Category = "OwnShim")]
public abstract class CtrFixture(ShimKind shim)
{
    internal static ClientHost Ctr => ContainerdHost.Ctr;

    private protected static string RuntimeRoot => ContainerdHost.Shim == ShimKind.Own ? ShimKinds.OwnRoot : $"{Ctr.Directory}/rc";

    private protected static string[] RuntimeType =>
        ["--runtime", ContainerdHost.Shim == ShimKind.Own ? ShimKinds.OwnType : "io.containerd.runc.v2"];

    private protected static string[] Runtime => ContainerdHost.Shim == ShimKind.Own ? RuntimeType
        : [.. RuntimeType, "--runc-binary", Ocirun.Binary.Path, "--runc-root", RuntimeRoot];

    private protected ShimKind Shim => shim;

    [SetUp]
    public void ChooseShim() => ContainerdHost.Use(Shim);

    [TearDown]
    public void RemoveTasks()
    {
        foreach (string id in Ctr.Run("containers", "list", "--quiet").ShouldSucceed().Lines)
        {
            Ctr.Run("task", "rm", "--force", id);
            Ctr.Run("container", "rm", id);
        }
        ContainerdHost.WaitForTheEndOfState(StateLeft);
        Ctr.CheckNothingLeft();
    }

    private protected static string NewId() => $"{TestRun.Token}-{TestRun.NextNumber()}";

    /// <summary>The default's parent, named after the client's namespace, would stay: runtimes leave parents alone.</summary>
    private protected static string Cgroup(string id) => $"/{TestRun.Token}/{id}";

    private protected static string[] StateLeft() =>
        Directory.Exists(RuntimeRoot) ? Directory.GetFileSystemEntries(RuntimeRoot, TestRun.Token + "*", SearchOption.AllDirectories) : [];

    /// <summary>Of `run` and `container create`: what makes the container.</summary>
    private protected static string[] Container(string id, string[] options, params string[] command) =>
        ["--snapshotter", "native", .. Runtime, "--cgroup", Cgroup(id), .. options, ClientImage.Name, id, .. command];

    // ctr leaves its pipes where it has made them.
    private protected static string[] Pipes => ["--fifo-dir", $"{Ctr.Directory}/pipes"];

    private protected static string[] RunArguments(string[] options, string id, params string[] command) =>
        ["run", "--rm", .. Pipes, .. Container(id, options, command)];

    private protected static CommandResult Run(string[] options, params string[] command) =>
        Ctr.Run(RunArguments(options, NewId(), command));

    /// <summary>Starts one without streams.</summary>
    private protected static string Detached(string[]? options = null, params string[] command)
    {
        string id = NewId();
        Ctr.Run(["run", "--detach", "--null-io", .. Container(id, options ?? [], command.Length > 0 ? command : ["sleep", "1000"])])
            .ShouldSucceed();
        return id;
    }

    /// <summary>Lines of an ID and a status.</summary>
    private protected static string[] Tasks() => [.. TaskTable().Select(words => $"{words[0]} {words[^1]}")];

    /// <summary>The task's first process, looked at from the host.</summary>
    private protected static ProcessView Init(string id) => new(int.Parse(TaskTable().Single(words => words[0] == id)[1]));

    private protected static IEnumerable<int> Processes(string id) =>
        Ctr.Run("task", "ps", id).ShouldSucceed().Lines.Skip(1).Select(line => int.Parse(line.Split(' ')[0]));

    private static IEnumerable<string[]> TaskTable() =>
        Ctr.Run("task", "list").ShouldSucceed().Lines.Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
}
