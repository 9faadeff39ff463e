using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>A daemon of a client, with a limited life even when the tests are killed.</summary>
internal sealed class Server : IDisposable
{
    /// <summary>Longer than the tests of any class take.</summary>
    public const int LifetimeSeconds = 600;

    private readonly RunningCommand _command;
    private readonly string _name;

    public Server(string name, params string[] args)
    {
        _name = name;
        // Without a session of its own it would get the terminal's signals.
        _command = Command.Start(Requires.Tool("timeout"), ["--kill-after=5", LifetimeSeconds.ToString(), Requires.Tool(name), .. args],
            new CommandOptions { NewSession = true });
    }

    /// <summary>Of timeout(1), whose child the daemon is.</summary>
    public int Pid => _command.Pid;

    /// <summary>Waits until a client is answered.</summary>
    public void WaitUntil(Func<bool> answers)
    {
        if (!Eventually.Becomes(() => answers() || !_command.IsRunning) || !_command.IsRunning)
        {
            string log = _command.Stderr;
            Dispose();
            throw new InvalidOperationException($"{_name} did not come up: {log}");
        }
    }

    /// <summary>Waits for the end of a daemon that somebody else has told to end.</summary>
    public void WaitForEnd() => _command.Wait(TimeSpan.FromSeconds(20));

    /// <summary>timeout(1) passes the signal on.</summary>
    public void Dispose()
    {
        if (_command.IsRunning)
        {
            _ = Syscall.kill(_command.Pid, Signum.SIGTERM);
            WaitForEnd();
        }
        _command.Dispose();
    }
}
