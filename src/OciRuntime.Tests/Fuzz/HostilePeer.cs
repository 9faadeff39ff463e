using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Mono.Unix.Native;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// Who should take a descriptor from the runtime, and does as a script says: a word and a number a line, words that it does not know are no
/// words. What is at its path comes first ("socket", "long", "backlog", "queue", "link"), the rest is done meanwhile.
/// </summary>
internal sealed class HostilePeer : IDisposable
{
    // Enough for any queue, and no input takes long.
    private const int MostClients = 2500, MostMilliseconds = 200, StaysMilliseconds = 2000;
    private const int MostBytes = 1 << 20, LongestPath = 5000, LongestName = 200;

    private readonly string _directory = TestRun.NewDirectory("hostile-peer");
    private readonly List<Socket> _sockets = [];
    private readonly List<Socket> _accepted = [];
    private readonly Thread _thread;
    private Socket? _listener;
    private string _bound;
    private volatile bool _ended;

    public HostilePeer(byte[] script)
    {
        Path = _bound = $"{_directory}/s";
        (string Word, int Number, string Text)[] lines = [.. Encoding.UTF8.GetString(script).Split('\n').Take(40).Select(Parse)];
        int backlog = lines.Where(static line => line.Word == "backlog").Select(static line => line.Number).LastOrDefault(4);
        Make(lines.LastOrDefault(static line => line.Word == "socket").Text ?? "stream", backlog);
        foreach ((string word, int number, _) in lines) Prepare(word, number);
        _thread = new(() =>
        {
            foreach ((string word, int number, _) in lines)
            {
                if (_ended) return;
                Try(() => Act(word, number));
            }
            // A full queue of somebody who stays is waited for as long as an input may take; that it ends is for FullQueueTests.
            for (int i = 0; !_ended && i < StaysMilliseconds; i += 10) Thread.Sleep(10);
            _listener?.Dispose();
        }, 1 << 18)
        { IsBackground = true };
        _thread.Start();
    }

    /// <summary>Where the runtime looks for it.</summary>
    public string Path { get; private set; }

    private static (string Word, int Number, string Text) Parse(string line)
    {
        string[] words = line.Split(' ', 2);
        string text = words.Length > 1 ? words[1] : "";
        _ = int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number);
        return (words[0], number, text);
    }

    private void Make(string kind, int backlog)
    {
        switch (kind)
        {
            case "fifo": Libc.Check(Syscall.mkfifo(_bound, FilePermissions.DEFFILEMODE), "mkfifo"); break;
            case "file": File.WriteAllText(_bound, ""); break;
            case "directory": Directory.CreateDirectory(_bound); break;
            case "null": Path = "/dev/null"; break;
            case "ring": File.CreateSymbolicLink(_bound, _bound); break;
            case "nothing": break;
            case "datagram": New(SocketType.Dgram).Bind(new UnixDomainSocketEndPoint(_bound)); break;
            case "deaf": New(SocketType.Stream).Bind(new UnixDomainSocketEndPoint(_bound)); break;
            default:
                _listener = New(kind == "packets" ? SocketType.Seqpacket : SocketType.Stream);
                _listener.Bind(new UnixDomainSocketEndPoint(_bound));
                _listener.Listen(backlog);
                break;
        }
    }

    private Socket New(SocketType type)
    {
        Socket socket = new(AddressFamily.Unix, type, ProtocolType.Unspecified);
        _sockets.Add(socket);
        return socket;
    }

    private void Prepare(string word, int number)
    {
        if (word == "link" && Path == _bound)
        {
            File.CreateSymbolicLink($"{_directory}/l", _bound);
            Path = $"{_directory}/l";
        }
        else if (word == "long" && Path == _bound)
        {
            // Of a length that no system call takes it is only a name.
            string path = _directory;
            while (path.Length < Math.Min(number, LongestPath)) path += "/" + new string('x', LongestName);
            if (path.Length < 4000)
            {
                Directory.CreateDirectory(path);
                Try(() => File.Move(_bound, _bound = $"{path}/s"));
            }
            Path = $"{path}/s";
        }
        else if (word == "queue" && _listener is not null)
        {
            for (int i = Math.Min(number, MostClients); i > 0; i--)
            {
                Socket client = New(_listener.SocketType);
                client.Blocking = false;
                // What the queue has no room for is enough.
                if (!Try(() => client.Connect(new UnixDomainSocketEndPoint(_bound)))) break;
            }
        }
    }

    private void Act(string word, int number)
    {
        Socket? last = _accepted.LastOrDefault();
        switch (word)
        {
            case "accept" when _listener is not null:
                for (int i = 0; !_ended && i < MostMilliseconds; i++)
                {
                    if (!_listener.Poll(TimeSpan.FromMilliseconds(1), SelectMode.SelectRead)) continue;
                    _accepted.Add(_listener.Accept());
                    _accepted[^1].Blocking = false;
                    break;
                }
                break;
            case "read" when last is not null:
                last.Poll(TimeSpan.FromMilliseconds(50), SelectMode.SelectRead);
                last.Receive(new byte[Math.Min(number, MostBytes)]);
                break;
            case "send" when last is not null: last.Send(new byte[Math.Min(number, MostBytes)]); break;
            case "descriptors" when last is not null:
                // The kernel ends it when the queue is full.
                for (int i = Math.Min(number, MostClients); i > 0; i--)
                    OciException.Check(Sockets.Send((int)last.Handle, "x"u8, (int)last.Handle, Sockets.MSG_DONTWAIT), "send");
                break;
            case "wait": Thread.Sleep(Math.Min(number, MostMilliseconds)); break;
            case "shutdown": last?.Shutdown(SocketShutdown.Both); break;
            case "close" when last is not null:
                _accepted.Remove(last);
                last.Dispose();
                break;
            case "close": _listener?.Dispose(); break;
            case "unlink": File.Delete(_bound); break;
        }
    }

    /// <summary>What cannot be done is left out: the script is anybody's.</summary>
    private static bool Try(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException or OciException or ArgumentException
            or InvalidOperationException)
        {
            return false;
        }
    }

    public void Dispose()
    {
        _ended = true;
        _thread.Join();
        foreach (Socket socket in (IEnumerable<Socket>)[.. _accepted, .. _sockets]) socket.Dispose();
        Cleaner.DeleteTree(_directory);
    }
}
