using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// `run --detach` of a container with what few have: all kinds of hooks, a terminal that goes to a console socket, a seccomp agent, a
/// network namespace that is joined and a time namespace with offsets, a device, a mount with mapped ids, a scheduling policy.
/// </summary>
internal sealed class RichRunVerb : DetachedRunVerb
{
    private readonly RunningCommand _network;
    private readonly string _hooks;
    private ConsoleSocket? _console;
    private DescriptorSocket? _agent;

    private RichRunVerb(RunningCommand network, string hooks)
        : base(Promises.Rich($"/proc/{network.Pid}/ns/net", hooks)) => (_network, _hooks) = (network, hooks);

    private protected override string[] Command => WithConsole(base.Command);

    private protected override CommandResult CreateAgain() => Ocirun.Run(WithConsole(Container.Create)[1..], new CommandOptions());

    private string[] WithConsole(string[] command) => [.. command[..^1], "--console-socket", _console!.SocketPath, command[^1]];

    internal static RichRunVerb Make()
    {
        RunningCommand network = Support.Command.Start(Requires.Tool("unshare"), ["--net", "sleep", "100000"], new CommandOptions());
        Eventually.True(() => new FileInfo($"/proc/{network.Pid}/ns/net").LinkTarget != new FileInfo("/proc/self/ns/net").LinkTarget,
            "there is a network namespace to join");
        return new(network, TestRun.NewPath("hooks"));
    }

    /// <summary>Sockets without what earlier runs have left in their queues.</summary>
    internal override void Prepare()
    {
        File.Delete(_hooks);
        _console?.Dispose();
        _agent?.Dispose();
        (_console, _agent) = (new(), new());
        Container.Bundle.Linux["seccomp"]!["listenerPath"] = _agent.SocketPath;
        Container.Bundle.Save();
    }

    internal override string Observe(Meddled run)
    {
        string broken = Container.Broken();
        try
        {
            (int listener, _) = _agent!.Receive(TimeSpan.FromSeconds(2));
            Libc.Check(Syscall.close(listener), "close");
            using PtyMaster terminal = _console!.Receive(TimeSpan.FromSeconds(2));
            string said = terminal.ReadUntil(Promises.End.ReplaceLineEndings("\r\n"), TimeSpan.FromSeconds(2));
            return $"{broken} {File.ReadAllText(_hooks)} {Promises.Digest(said.ReplaceLineEndings("\n"))}";
        }
        catch (Exception e) when (e is TimeoutException or InvalidDataException or IOException)
        {
            return $"broken: {e.Message}";
        }
    }

    public override void Dispose()
    {
        _console?.Dispose();
        _agent?.Dispose();
        base.Dispose();
        _network.Dispose();
        File.Delete(_hooks);
    }
}
