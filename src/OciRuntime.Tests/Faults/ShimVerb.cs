using FluentAssertions;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>
/// A request to a shim, which has another container, too. The shim outlives faults, in the requests of one container and in the descriptors
/// that it has; one that was killed is followed by another.
/// </summary>
internal sealed class ShimVerb : SweepVerb
{
    private const string ExecName = "x";

    private readonly string _method, _root, _output;
    private ShimUnderTest? _shim;
    private string _other = "", _before = "", _told = "";
    private int _descriptors, _init, _turn;

    /// <param name="method">Of the task API; "Exec" stands for the start of one.</param>
    internal ShimVerb(string method)
        : base(Promises.Bundle(goesOn: true), TestRun.Token)
    {
        _method = method;
        _root = Path.GetDirectoryName(Container.StateRoot)!;
        _output = Path.Combine(_root, "output");
    }

    private protected override string[] Command => throw new NotSupportedException();

    private protected override string Marker => _method == "Create" ? "config.json" : "state.json";

    private bool IsThere => _shim is not null && ProcessTree.IsAlive(_shim.Pid);

    internal override void Prepare()
    {
        if (!IsThere) StartShim();
        File.Delete(_output);
        if (_method != "Create") Create();
        if (_method is not ("Create" or "Start")) _shim!.Call("Start", Container.Id);
        _init = _method == "Create" ? 0 : _shim!.PidOf(Container.Id);
        if (_method == "Exec") AddExec();
        if (_method == "Resume") _shim!.Call("Pause", Container.Id);
        if (_method == "Delete") End();
        _before = _method is "Update" or "Pause" or "Exec" ? Seen() : "";
        KnowProcesses();
    }

    internal override Meddled Run(string what, CallPoint point)
    {
        Meddled run = Meddler.Attach(_shim!.Pid, Marker, what, point, () => Ask(what));
        // It ends when all is told.
        if (run.IsHit && what.StartsWith("term", StringComparison.Ordinal)) Eventually.Becomes(() => !IsThere, TimeSpan.FromSeconds(10));
        return run;
    }

    private CommandResult? Ask(string what)
    {
        long started = Environment.TickCount64;
        Task<byte[]> answer = _shim!.Client.CallAsync(_method == "Exec" ? "Start" : _method, Request());
        string said = "";
        try
        {
            if (!answer.Wait(TimeSpan.FromSeconds(10))) return null;
        }
        catch (AggregateException e)
        {
            said = string.Concat(e.InnerException!.Message.Split('\n').Select(static line => $"level=error {line}\n"));
        }
        // The connection ends before the process does.
        if (said.Contains("connection is closed", StringComparison.Ordinal))
            Eventually.Becomes(() => !IsThere, TimeSpan.FromMilliseconds(what.StartsWith("kill", StringComparison.Ordinal) ? 2000 : 200));
        bool isKilled = said.Length > 0 && !IsThere && what.StartsWith("kill", StringComparison.Ordinal);
        return new CommandResult($"shim {_method}", new ExitStatus(said.Length > 0 ? 1 : 0, isKilled ? 9 : 0), "", said,
            TimeSpan.FromMilliseconds(Environment.TickCount64 - started));
    }

    internal override string Observe(Meddled run)
    {
        string seen = Seen();
        if (_method is "Create") seen += Container.Broken();
        try
        {
            if (_method is "Create" && IsThere) _shim!.Call("Start", Container.Id);
        }
        catch (CallRefused e)
        {
            return $"{seen} {e.Message}";
        }
        if (_method == "Exec") seen += $" {(IsThere ? _shim!.Wait(Container.Id, ExecName) : 0)} ";
        if (_method is not ("Create" or "Kill" or "Delete" or "Update")) seen += Container.Broken();
        if (_method is not ("Create" or "Start" or "Exec")) return seen;
        // Of a shim that is asked to end nobody carries the output on, nor where the fault is in the carrying.
        Eventually.Becomes(() => ProcessTree.ReadOrEmpty(_output).Contains(Promises.End, StringComparison.Ordinal) || !IsThere,
            TimeSpan.FromSeconds(2));
        string output = ProcessTree.ReadOrEmpty(_output);
        if (output.Contains(Promises.End, StringComparison.Ordinal)) _told = Promises.Digest(output);
        return $"{seen} {_told}";
    }

    internal override bool HasEnded() => _method == "Exec" ? IsThere && _shim!.Wait(Container.Id, ExecName) == 137 : base.HasEnded();

    private protected override List<string> Left() => _method switch
    {
        "Create" => base.Left(),
        // What one of these that failed was to do is there for the next.
        "Start" or "Delete" or "Kill" or "Resume" => [],
        _ => [.. Strangers(), .. new[] { Seen() }.Where(seen => seen != _before)],
    };

    /// <summary>As containerd takes it away: by a request, or, where there is no shim any more, by the program's own verb.</summary>
    internal override string? Recover()
    {
        try
        {
            string? wrong = IsThere ? Clear() : ClearAfterwards();
            List<string> left = Remains();
            return wrong ?? (left.Count > 0 ? $"left in the end: {string.Join("; ", left)}" : null);
        }
        catch (Exception e) when (e is TimeoutException or CallRefused or IOException)
        {
            return $"the shim: {e}";
        }
    }

    public override void Dispose()
    {
        if (IsThere) _shim!.KillAndDelete(_other);
        _shim?.Dispose();
        base.Dispose();
    }

    private void StartShim()
    {
        _shim?.Dispose();
        _shim = new ShimUnderTest();
        _other = _shim.Run(_shim.Bundle().Args("sleep", "100000"));
        // A thread of the shim's that comes or goes hides what is its child for a moment (proc_pid_task_children).
        KnowProcesses(_shim.Pid, _shim.PidOf(_other));
        // What a first request brings to life is there from then on.
        Create();
        _shim.Call("Start", Container.Id);
        AddExec();
        _shim.Call("Start", Container.Id, ExecName);
        Clear().Should().BeNull();
        // The end of the former connection is taken notice of soon.
        int before = _shim.Descriptors;
        Eventually.Becomes(() => _shim.Descriptors < before, TimeSpan.FromMilliseconds(50));
        _descriptors = _shim.Descriptors;
    }

    private void Create() => _shim!.Client.Call("Create", CreateRequest());

    private ProtobufWriter CreateRequest()
    {
        ProtobufWriter mount = new ProtobufWriter().Text(1, "bind").Text(2, Container.Bundle.Rootfs).Text(4, "rbind");
        string output = _method is "Exec" ? "" : $"file://{_output}";
        return _shim!.CreateRequest(Container.Id, Container.Bundle, output, root: _root).Message(3, mount);
    }

    private void AddExec() => _shim!.Exec(Container.Id, ExecName, string.Join(' ', Promises.Program), $"file://{_output}", start: false);

    private void End()
    {
        _shim!.Kill(Container.Id, 9);
        _shim.Wait(Container.Id);
    }

    private ProtobufWriter Request() => _method switch
    {
        "Create" => CreateRequest(),
        "Exec" => ShimUnderTest.Named(Container.Id, ExecName),
        "Kill" => ShimUnderTest.Named(Container.Id).Number(3, 9L),
        "Update" => ShimUnderTest.Named(Container.Id).Message(2, AnyMessage.Write(
            "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
            """{"memory": {"limit": 134217728}, "pids": {"limit": 300}, "cpu": {"shares": 1000}}"""u8)),
        _ => ShimUnderTest.Named(Container.Id),
    };

    /// <summary>What a request changes and the runtime's own commands tell.</summary>
    private string Seen()
    {
        if (_method == "Create") return "";
        if (_method is "Kill") Eventually.Becomes(() => !ProcessTree.IsAlive(_init), TimeSpan.FromSeconds(2));
        CommandResult state = Container.Call("state", Container.Id);
        string status = state.Succeeded ? state.Json["status"]!.GetValue<string>() : "none";
        return _method == "Update" ? Promises.Limits(_init) : status;
    }

    /// <summary>By requests, over a new connection if the old one has gone. The other container must not have noticed.</summary>
    private string? Clear()
    {
        _shim!.Reconnect();
        try
        {
            if (_shim.StatusOf(Container.Id) == 4) _shim.Call("Resume", Container.Id);
            if (_shim.StatusOf(Container.Id) != 3) End();
            _shim.Call("Delete", Container.Id);
        }
        catch (CallRefused e) when (e.Code == 5)
        {
            // It is not there, or has ended just now.
            try
            {
                _shim.Call("Delete", Container.Id);
            }
            catch (CallRefused again) when (again.Code == 5)
            {
            }
        }
        if (_shim.StatusOf(_other) != 2) return $"another container of the shim's has status {_shim.StatusOf(_other)}";
        return _descriptors == 0 || Eventually.Becomes(() => _shim.Descriptors <= _descriptors, TimeSpan.FromSeconds(2)) ? null
            : $"the shim has {_shim.Descriptors} descriptors instead of {_descriptors}";
    }

    private string? ClearAfterwards()
    {
        string bundle = Container.Bundle.Directory;
        Ocirun.Run("--root", $"{_shim!.Root}/{TestRun.Token}", "delete", "--force", _other).ShouldSucceed();
        // The plain command does its part, too.
        if (_turn++ % 2 == 0) Container.DeleteByForce().ShouldSucceed();
        File.WriteAllText($"{bundle}/address", _shim.Address);
        CommandResult deleted = _shim.Verb("delete", Container.Id, bundle, "-bundle", bundle);
        return deleted.Succeeded ? null : $"{deleted}";
    }
}
