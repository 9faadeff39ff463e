using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Shim;

/// <summary>
/// A program that takes the output of a process, as binary:// names it (containerd's runtime/v2 logging): it reads 3 and 4, and says on 5
/// that it is ready.
/// </summary>
internal sealed class LoggerProgram : IDisposable
{
    private const int ReadyMilliseconds = 10_000, EndMilliseconds = 12_000;

    private readonly Fd _pidfd;

    private readonly Action<Action> _patiently;

    private LoggerProgram(Fd pidfd, Fd stdout, Fd stderr, Action<Action> patiently) =>
        (_pidfd, Stdout, Stderr, _patiently) = (pidfd, stdout, stderr, patiently);

    /// <summary>What the process writes to.</summary>
    public Fd Stdout { get; }

    /// <inheritdoc cref="Stdout"/>
    public Fd Stderr { get; }

    /// <param name="uri">binary:///path?key=value: each key and each value that is not empty is an argument.</param>
    /// <param name="id">The container, or the exec in it.</param>
    /// <param name="space">containerd's namespace.</param>
    /// <param name="patiently">Runs, in the end, what may wait for it.</param>
    /// <exception cref="OciException">It cannot be started, or does not get ready.</exception>
    public static LoggerProgram Start(string uri, string id, string space, Action<Action> patiently)
    {
        string path = StreamUri.Path(uri);
        List<string> arguments = [path, .. StreamUri.Words(uri)];
        using Pipe ready = new();
        Pipe stdout = new(), stderr = new();
        try
        {
            (_, Fd pidfd) = HelperProcess.Start(new CompanionProgram
            {
                Path = path,
                Arguments = [.. arguments],
                Environment = [$"CONTAINER_ID={id}", $"CONTAINER_NAMESPACE={space}"],
                Channels = [stdout.Reader.Number, stderr.Reader.Number, ready.Writer.Number],
            });
            ready.Writer.Dispose();
            LoggerProgram program = new(pidfd, stdout.Writer, stderr.Writer, patiently);
            if (!Processes.AwaitReadable(ready.Reader.Number, ReadyMilliseconds))
            {
                program.Dispose();
                throw new OciException($"{path} does not get ready", Errno.ETIMEDOUT);
            }
            return program;
        }
        catch
        {
            stdout.Writer.Dispose();
            stderr.Writer.Dispose();
            throw;
        }
        finally
        {
            stdout.Reader.Dispose();
            stderr.Reader.Dispose();
        }
    }

    public void Dispose()
    {
        Stdout.Dispose();
        Stderr.Dispose();
        _patiently(() =>
        {
            // It has read to the end of what was written by itself; else it is asked, and then told.
            if (!Processes.AwaitReadable(_pidfd.Number, 1000)) Signal(Processes.SIGTERM);
            if (!Processes.AwaitReadable(_pidfd.Number, EndMilliseconds)) Signal(Processes.SIGKILL);
            // Nobody is interested in how it ended. Where the thread that has started it is gone, the loop may have reaped it.
            Processes.ReapByPidFd(_pidfd.Number);
            _pidfd.Dispose();
        });
    }

    // ESRCH: it has ended meanwhile.
    private void Signal(int signal) => Processes.PidFdSendSignal(_pidfd.Number, signal);
}
