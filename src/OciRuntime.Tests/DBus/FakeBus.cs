using System.Buffers.Binary;
using System.Net.Sockets;
using OciRuntime.DBus;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.DBus;

/// <summary>A socket behind which a test decides what a message bus says: the truth, as far as needed, or lies.</summary>
internal sealed class FakeBus : IDisposable
{
    public const string Systemd = ":1.7";

    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Socket> _connections = [];
    private readonly Task _server;

    /// <summary>Handles each connection with <paramref name="serve"/>; that a client goes away in the middle is as it should be.</summary>
    public FakeBus(Action<Socket> serve)
    {
        string path = TestRun.NewPath("sockets", ".bus");
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen(4);
        Address = new BusAddress("fake bus", "unix:path=" + path);
        _server = OwnThread.Run(() =>
        {
            while (Accept() is { } connection) Serve(connection, serve);
        });
    }

    public BusAddress Address { get; }

    private Socket? Accept()
    {
        try
        {
            Socket connection = _listener.Accept();
            _connections.Add(connection);
            return connection;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return null;
        }
    }

    private static void Serve(Socket connection, Action<Socket> serve)
    {
        try
        {
            serve(connection);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or EndOfStreamException)
        {
        }
        connection.Close();
    }

    /// <summary>The members that were called, with the bodies as they came.</summary>
    public List<(string Member, byte[] Body)> Calls { get; } = [];

    /// <summary>
    /// A bus that does what it should, but for the answers to calls of systemd; those come from <paramref name="answer"/>, by method and
    /// serial.
    /// </summary>
    public static FakeBus Honest(Func<string, uint, IEnumerable<byte[]>> answer)
    {
        FakeBus? bus = null;
        bus = new FakeBus(connection =>
        {
            Welcome(connection);
            while (true)
            {
                (BusMessage call, uint serial, byte[] body) = Receive(connection);
                bus!.Calls.Add((call.Member, body));
                IEnumerable<byte[]> answers = call.Interface == "org.freedesktop.DBus"
                    ? [Return(serial, call.Member == "Hello" ? "s"
                    : "", w => { if (call.Member == "Hello") w.String(":1.5"); }, "org.freedesktop.DBus")]
                    : answer(call.Member, serial);
                foreach (byte[] message in answers) connection.Send(message);
            }
        });
        return bus;
    }

    /// <summary>The server's part of the authentication.</summary>
    public static void Welcome(Socket connection)
    {
        string text = "";
        while (!text.EndsWith("BEGIN\r\n", StringComparison.Ordinal)) text += (char)Read(connection, 1)[0];
        if (text != "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n") throw new InvalidDataException(text);
        connection.Send("DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"u8);
    }

    public static (BusMessage Message, uint Serial, byte[] Body) Receive(Socket connection)
    {
        byte[] start = Read(connection, BusMessage.FixedSize);
        byte[] all = [.. start, .. Read(connection, BusMessage.SizeOf(start) - start.Length)];
        uint body = BinaryPrimitives.ReadUInt32LittleEndian(all.AsSpan(4));
        return (BusMessage.Parse(all), BinaryPrimitives.ReadUInt32LittleEndian(all.AsSpan(8)), all[^(int)body..]);
    }

    public static byte[] Return(uint to, string signature = "", Action<BusWriter>? body = null, string sender = Systemd) =>
        Message(2, to, signature, body, sender);

    public static byte[] Error(uint to, string name, string text) => Message(3, to, "s", w => w.String(text), Systemd, (4, "s", name));

    public static byte[] JobRemoved(string job, string result, string sender = Systemd) => Message(4, 0, "uoss", w =>
    {
        w.UInt32(1);
        w.String(job);
        w.String("x.scope");
        w.String(result);
    }, sender, (1, "o", "/org/freedesktop/systemd1"), (2, "s", "org.freedesktop.systemd1.Manager"), (3, "s", "JobRemoved"));

    public static byte[] Message(byte type, uint replyTo, string signature, Action<BusWriter>? body, string sender,
        params (byte Code, string Type, string Value)[] fields)
    {
        BusWriter content = new();
        body?.Invoke(content);
        BusWriter w = new();
        foreach (byte b in (byte[])[(byte)'l', type, 1, 1]) w.Byte(b);
        w.UInt32((uint)content.Length);
        w.UInt32(77);
        (int, int) array = w.BeginArray(8);
        if (replyTo != 0)
        {
            w.Structure();
            w.Byte(5);
            w.Signature("u");
            w.UInt32(replyTo);
        }
        foreach ((byte code, string kind, string value) in ((byte, string, string)[])[.. fields, (7, "s", sender), (8, "g", signature)])
        {
            w.Structure();
            w.Byte(code);
            w.Signature(kind);
            if (kind == "g") w.Signature(value);
            else w.String(value);
        }
        w.EndArray(array);
        w.Align(8);
        w.Raw(content.Written);
        return w.Written.ToArray();
    }

    public static byte[] Read(Socket connection, int count)
    {
        byte[] bytes = new byte[count];
        for (int n, at = 0; at < count; at += n)
        {
            if ((n = connection.Receive(bytes, at, count - at, SocketFlags.None)) == 0) throw new EndOfStreamException();
        }
        return bytes;
    }

    public void Dispose()
    {
        _listener.Dispose();
        foreach (Socket connection in _connections) connection.Dispose();
        _server.Wait();
        File.Delete(Address.Text["unix:path=".Length..]);
    }
}
