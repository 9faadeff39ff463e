using System.Text;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// sd_notify(3) from the container to whoever started the runtime, by runc's protocol. The container does not get the host's socket: on
/// that it could name any process of the host as the service's main one, or store descriptors. Of what it says, only that it is ready is
/// passed on.
/// </summary>
internal sealed class NotifyProxy : IDisposable
{
    private const string DirectoryName = "notify", SocketName = "notify.sock";

    // systemd itself gives a barrier that long (sd_notify_barrier(3) in systemd-notify).
    private const int BarrierMilliseconds = 30_000;

    // Its queue is full for a moment, or whoever should read does not.
    private const int TellMilliseconds = 1000;

    // systemd reads no more of a message (NOTIFY_BUFFER_MAX).
    private const int MaxMessage = 4096;
    private readonly Fd _socket = Sockets.Open(Sockets.SOCK_DGRAM);
    private readonly Fd _host = Sockets.Open(Sockets.SOCK_DGRAM);

    private NotifyProxy()
    {
    }

    /// <summary>Readable when the container said something.</summary>
    public int Descriptor => _socket.Number;

    /// <summary>The caller's $NOTIFY_SOCKET, or null.</summary>
    public static string? HostSocket => Environment.GetEnvironmentVariable("NOTIFY_SOCKET") is { Length: > 0 } path ? path : null;

    /// <summary>The path of the directory that the container sees at /run/notify.</summary>
    public static string DirectoryOf(string stateDirectory) => $"{stateDirectory}/{DirectoryName}";

    /// <summary>Makes the directory that the container sees at /run/notify. The socket comes later, with whoever listens on it.</summary>
    public static void MakeDirectory(ContainerEntry entry)
    {
        string path = $"{entry.Path}/{DirectoryName}";
        OciException.Check(Files.MakeDirectoryAt(entry.Directory, DirectoryName, FileModes.PublicDirectory), $"mkdir {path}");
        // Whatever umask the caller has: the program's user has to get to the socket.
        OciException.Check(Files.ChmodAt(entry.Directory, DirectoryName, FileModes.PublicDirectory), $"chmod {path}");
    }

    /// <summary>
    /// Connects to the host's socket and binds the container's, both before the program runs: what cannot work fails while it can be
    /// undone. Null when nobody listens on the host's: a variable that somebody left behind is no reason for the program not to run (runc,
    /// crun).
    /// </summary>
    /// <param name="entry">The container.</param>
    /// <param name="host">The caller's $NOTIFY_SOCKET.</param>
    /// <param name="warn">Is told why there is nobody to pass readiness on to.</param>
    public static NotifyProxy? Open(ContainerEntry entry, string host, Action<string> warn)
    {
        NotifyProxy proxy = new();
        try
        {
            long connected = Sockets.Connect(proxy._host.Number, host);
            if (connected < 0)
            {
                warn($"NOTIFY_SOCKET {host}: {ErrnoText.Full((int)-connected)}: nobody will be told when the container is ready");
                proxy.Dispose();
                return null;
            }
            using Fd directory = Fd.OpenAt(
                entry.Directory, DirectoryName, Files.O_PATH | Files.O_DIRECTORY | Files.O_NOFOLLOW, $"open {entry.Path}/{DirectoryName}");
            // From an earlier start that was killed.
            Files.UnlinkAt(directory.Number, SocketName);
            string path = $"/proc/self/fd/{directory.Number}/{SocketName}";
            OciException.Check(Sockets.Bind(proxy._socket.Number, path), $"bind {entry.Path}/{DirectoryName}/{SocketName}");
            // Whatever user the program runs as may write to it; others cannot reach it.
            OciException.Check(Files.ChmodAt(Files.AT_FDCWD, path, FileModes.AllAccess),
                $"chmod {entry.Path}/{DirectoryName}/{SocketName}");
            return proxy;
        }
        catch
        {
            proxy.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Waits until the program is ready or has ended, then tells the host: ready, the service's main process is <paramref name="pid"/>, and
    /// a barrier, so that systemd has read it all before the sender, this process, is gone and its messages are attributed to nobody.
    /// </summary>
    /// <param name="pidfd">The program, or -1 when it has ended.</param>
    /// <param name="pid">Its pid on the host.</param>
    /// <param name="interruption">What may end the waiting, or null.</param>
    public void Relay(int pidfd, int pid, Interruption? interruption)
    {
        string? ready = null;
        while (ready is null)
        {
            if (!WaitForMessage(pidfd, interruption)) return;
            ready = TakeReady();
        }
        Tell($"{ready}\n");
        Tell($"MAINPID={pid}\n");
        Barrier(interruption);
    }

    /// <summary>
    /// In the foreground: passes readiness on when it is there; true when there is nothing more to do. The main process of the service is
    /// this one then, so no MAINPID: systemd would take the container's end for the service's and kill the runtime before it has tidied up.
    /// </summary>
    public bool Pass()
    {
        if (TakeReady() is not { } ready) return false;
        Tell($"{ready}\n");
        return true;
    }

    /// <summary>False when the program ended first.</summary>
    private bool WaitForMessage(int pidfd, Interruption? interruption)
    {
        Span<PollFd> fds = stackalloc PollFd[3];
        while (true)
        {
            fds[0] = PollFd.Reading(Descriptor);
            fds[1] = PollFd.Reading(pidfd);
            fds[2] = PollFd.Reading(interruption?.Descriptor ?? -1);
            long ready = OciException.Check(Processes.Poll(fds, pidfd < 0 ? 0 : -1), "poll");
            if (fds[2].Returned != 0) interruption!.Check();
            // A message first: the program may have ended right after it.
            if (fds[0].Returned != 0) return true;
            if (fds[1].Returned != 0 || ready == 0) return false;
        }
    }

    /// <summary>
    /// The line that begins with READY= of the next message, or null. Descriptors that come with it are dropped by the kernel.
    /// </summary>
    private string? TakeReady()
    {
        Span<byte> buffer = stackalloc byte[MaxMessage];
        long n = Files.Read(Descriptor, buffer);
        if (n <= 0) return null;
        foreach (string line in Encoding.UTF8.GetString(buffer[..(int)n]).Split('\n'))
        {
            if (line.StartsWith("READY=", StringComparison.Ordinal)) return line;
        }
        return null;
    }

    private void Tell(string message, int passed = -1)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(message);
        Patience patience = Patience.Of(TellMilliseconds);
        // A host that is gone has no use for it, and the container runs all the same.
        patience.Retry(() => Sockets.Send(_host.Number, bytes, passed, Sockets.MSG_DONTWAIT));
    }

    /// <summary>systemd closes the pipe when it has worked through everything before (sd_notify(3), "BARRIER=1").</summary>
    private void Barrier(Interruption? interruption)
    {
        using Pipe pipe = new();
        Tell("BARRIER=1", pipe.Writer.Number);
        pipe.Writer.Dispose();
        // Answered or not, it goes on.
        if (interruption is not null) interruption.WaitFor(pipe.Reader.Number, BarrierMilliseconds);
        else Processes.AwaitReadable(pipe.Reader.Number, BarrierMilliseconds);
    }

    public void Dispose()
    {
        _socket.Dispose();
        _host.Dispose();
    }
}
