using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.DBus;

/// <summary>Waits until a descriptor is readable; false after that many milliseconds. May throw to give up.</summary>
internal delegate bool BusWait(int fd, int milliseconds);

/// <summary>
/// A connection to a message bus, with one deadline for all that is done over it. Nothing that comes from the bus is believed, and nothing
/// is waited for without end: a bus that is dead, slow or lies leads to an error that names it and the method.
/// </summary>
internal sealed class BusConnection : IDisposable
{
    private const string BusName = "org.freedesktop.DBus", BusPath = "/org/freedesktop/DBus";

    // Lines of the authentication are short; and signals are those that were asked for, so many that come at once are nonsense.
    private const int MaxLine = 1024, MaxSignals = 1024;

    private readonly BusAddress _address;
    private readonly BusWait _wait;
    private readonly long _deadline;
    private readonly int _seconds;
    private readonly Queue<BusMessage> _signals = [];
    private readonly Fd _socket;
    private byte[] _received = new byte[4096];
    private int _start, _end;
    private uint _serial;

    private BusConnection(BusAddress address, int seconds, BusWait wait)
    {
        _address = address;
        _wait = wait;
        _seconds = seconds;
        _deadline = Environment.TickCount64 + seconds * 1000L;
        _socket = Connect();
    }

    private Patience Waiting() => new(Left, milliseconds => _wait(-1, milliseconds));

    private int Left => (int)Math.Max(0, _deadline - Environment.TickCount64);

    /// <summary>Connects and introduces itself.</summary>
    /// <param name="address">The bus.</param>
    /// <param name="seconds">For this and everything that follows, together.</param>
    /// <param name="wait">How to wait, or null for poll(2).</param>
    /// <exception cref="OciException">Nobody is there, or not in time, or it is no bus, or it does not want this user.</exception>
    public static BusConnection Open(BusAddress address, int seconds, BusWait? wait = null)
    {
        BusConnection connection = new(address, seconds, wait ?? Processes.AwaitReadable);
        try
        {
            connection.Introduce();
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Calls a method and waits for the answer, which may be an error.</summary>
    public BusMessage Call(BusCall call)
    {
        uint serial = ++_serial;
        Send(BusMessage.Marshal(serial, call), call.Member);
        return Answer(serial, call.Member);
    }

    /// <summary>Asks for signals, see "Match Rules".</summary>
    public void AddMatch(string rule)
    {
        const string Method = "AddMatch";
        BusMessage answer = Call(new BusCall(BusName, BusPath, BusName, Method, "s").With(rule));
        if (answer.Type == BusMessageType.Error) throw Refused(answer, Method);
    }

    /// <summary>The next signal, also one that came while something else was waited for.</summary>
    /// <param name="what">Name of the method whose effect is waited for, for errors.</param>
    public BusMessage NextSignal(string what)
    {
        while (_signals.Count == 0) Keep(Receive(what));
        return _signals.Dequeue();
    }

    /// <summary>Reads arguments of a message; what does not fit becomes an error that names the method.</summary>
    public T Read<T>(Func<T> read, string method)
    {
        try
        {
            return read();
        }
        catch (FormatException e)
        {
            throw Nonsense(method, e);
        }
    }

    /// <summary>An answer that is an error, in words.</summary>
    /// <param name="answer">The answer.</param>
    /// <param name="doing">The method, or what it was called for.</param>
    public OciException Refused(BusMessage answer, string doing)
    {
        string text = Read(() => answer.ErrorText, doing);
        string words = text.Length > 0 ? VisibleText.Line(text) + " " : "";
        return new OciException($"{doing} on the {_address}: {words}({VisibleText.Line(answer.ErrorName)})", Errno.EREMOTEIO);
    }

    public void Dispose() => _socket.Dispose();

    private Fd Connect()
    {
        long result = 0;
        foreach (string name in _address.SocketNames())
        {
            // Connecting fails while too many others do, and sending while the bus does not read.
            Fd socket = Sockets.Open(Sockets.SOCK_STREAM | Sockets.SOCK_NONBLOCK);
            result = Waiting().Retry(() => Sockets.Connect(socket.Number, name));
            if (result >= 0) return socket;
            socket.Dispose();
        }
        string hint = result is -Errno.ENOENT or -Errno.ECONNREFUSED
            ? ": is systemd running here? --cgroup-manager cgroupfs does without it" : "";
        throw OciException.FromResult(result, $"connect to the {_address}", hint);
    }

    /// <summary>
    /// The mechanism EXTERNAL, without saying who we are: the kernel tells the bus, and in its own user namespace, where our number may be
    /// another. All in one go, as nothing depends on the answers.
    /// </summary>
    private void Introduce()
    {
        const string Method = "Hello";
        uint serial = ++_serial;
        byte[] hello = BusMessage.Marshal(serial, new BusCall(BusName, BusPath, BusName, Method));
        Send([.. "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"u8, .. hello], Method);
        string line = ReadLine();
        // A bus that takes the empty answer at once need not ask for it.
        if (line == "DATA" || line.StartsWith("DATA ", StringComparison.Ordinal)) line = ReadLine();
        if (line.StartsWith("REJECTED", StringComparison.Ordinal))
            throw new OciException($"the {_address} refuses uid {Processes.EffectiveUid()}", Errno.EACCES);
        if (!line.StartsWith("OK", StringComparison.Ordinal)) throw Nonsense("AUTH", new FormatException($"\"{VisibleText.Line(line)}\""));
        BusMessage answer = Answer(serial, Method);
        if (answer.Type == BusMessageType.Error) throw Refused(answer, Method);
    }

    private BusMessage Answer(uint serial, string method)
    {
        while (true)
        {
            BusMessage message = Receive(method);
            if (message.Type is BusMessageType.Return or BusMessageType.Error && message.ReplySerial == serial) return message;
            Keep(message);
        }
    }

    private void Keep(BusMessage message)
    {
        if (message.Type != BusMessageType.Signal) return;
        if (_signals.Count == MaxSignals) _signals.Dequeue();
        _signals.Enqueue(message);
    }

    private BusMessage Receive(string method)
    {
        try
        {
            Fill(BusMessage.FixedSize, method);
            int size = BusMessage.SizeOf(_received.AsSpan(_start, BusMessage.FixedSize));
            Fill(size, method);
            BusMessage message = BusMessage.Parse(_received.AsSpan(_start, size));
            _start += size;
            return message;
        }
        catch (FormatException e)
        {
            throw Nonsense(method, e);
        }
    }

    private string ReadLine()
    {
        const string Method = "AUTH";
        for (int length = 0; ; length++)
        {
            Fill(length + 1, Method);
            if (length > MaxLine) throw Nonsense(Method, new FormatException("a line without end"));
            if (_received[_start + length] != '\n') continue;
            string line = Encoding.ASCII.GetString(_received, _start, length).TrimEnd('\r');
            _start += length + 1;
            return line;
        }
    }

    /// <summary>Receives until there are so many bytes.</summary>
    private void Fill(int count, string method)
    {
        if (_start > 0 && _end - _start < count)
        {
            _received.AsSpan(_start, _end - _start).CopyTo(_received);
            _end -= _start;
            _start = 0;
        }
        if (_received.Length < count) Array.Resize(ref _received, Math.Max(count, 2 * _received.Length));
        while (_end - _start < count)
        {
            int left = Left;
            // Checked even while there is something to read: junk may come for ever.
            if (left == 0 || !_wait(_socket.Number, left)) throw Silent(method);
            long n = Files.Read(_socket.Number, _received.AsSpan(_end));
            if (n == -Errno.EAGAIN) continue;
            if (n is 0 or -Errno.ECONNRESET)
                throw new OciException($"the {_address} closed the connection instead of answering {method}", Errno.ECONNRESET);
            OciException.Check(n, $"receive the answer to {method} from the {_address}");
            _end += (int)n;
        }
    }

    private void Send(byte[] bytes, string method)
    {
        long result = Sockets.SendAll(_socket.Number, bytes, passed: -1, Waiting());
        if (result == -Errno.ETIMEDOUT) throw Silent(method);
        // What it said before it closed the connection is the reason; reading finds it, or the end.
        if (result is not (-Errno.EPIPE or -Errno.ECONNRESET)) OciException.Check(result, $"send {method} to the {_address}");
    }

    private OciException Silent(string method) =>
        new($"the {_address} does not answer: {method} took more than {_seconds} s", Errno.ETIMEDOUT);

    private OciException Nonsense(string method, FormatException e) =>
        new($"the {_address} answers {method} with {e.Message}", Errno.EPROTO);
}
