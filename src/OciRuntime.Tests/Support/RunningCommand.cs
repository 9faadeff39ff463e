using System.Diagnostics;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>A started command. Disposing it kills it when it still runs.</summary>
public sealed class RunningCommand : IDisposable
{
    private readonly string _commandLine;
    private readonly long _started;
    private readonly OutputFile _stdout;
    private readonly OutputFile _stderr;
    private CommandResult? _result;

    internal RunningCommand(int pid, string commandLine, long started, OutputFile stdout, OutputFile stderr)
    {
        Pid = pid;
        _commandLine = commandLine;
        _started = started;
        _stdout = stdout;
        _stderr = stderr;
    }

    /// <summary>The process id.</summary>
    public int Pid { get; }

    /// <summary>True while it runs.</summary>
    public bool IsRunning => _result is null && ProcessTree.IsAlive(Pid);

    /// <summary>Stdout so far; also after the command's end, for as long as others write to it.</summary>
    public string Stdout => _stdout.Text;

    /// <summary>Stderr so far.</summary>
    public string Stderr => _stderr.Text;

    /// <summary>Waits for the end; kills and throws when it does not come in time.</summary>
    public CommandResult Wait(TimeSpan? timeout = null)
    {
        if (_result is not null) return _result;
        TimeSpan limit = timeout ?? CommandOptions.DefaultTimeout;
        if (Children.Wait(Pid, limit) is { } status)
            return _result = new CommandResult(_commandLine, status, Stdout, Stderr, Stopwatch.GetElapsedTime(_started));
        Kill();
        throw new TimeoutException(
            $"`{_commandLine}` did not end within {limit.TotalSeconds} s and was killed\nstdout: {Stdout}\nstderr: {Stderr}");
    }

    /// <summary>Sends a signal to the command itself.</summary>
    public void Signal(int signal) => Libc.Check(Libc.kill(Pid, signal), $"kill {Pid}");

    /// <summary>Kills and reaps the command itself; its children live on.</summary>
    public void Kill()
    {
        if (_result is null && Syscall.kill(Pid, Signum.SIGKILL) == 0)
        {
            // Reaped here, so the pid cannot meanwhile belong to another process.
            ExitStatus status = Children.Wait(Pid, TimeSpan.FromSeconds(10)) ?? default;
            _result = new CommandResult(_commandLine, status, Stdout, Stderr, Stopwatch.GetElapsedTime(_started));
        }
    }

    /// <summary>Hands the output files over, so that they stay readable after this object is gone.</summary>
    internal (OutputFile Stdout, OutputFile Stderr) Output => (_stdout, _stderr);

    /// <summary>Kills it if needed. Whoever else holds the output files keeps them until they are collected.</summary>
    public void Dispose() => Kill();
}
