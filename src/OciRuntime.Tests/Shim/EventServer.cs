using System.Net.Sockets;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>containerd's socket for events, as long as it is there.</summary>
internal sealed class EventServer : IDisposable
{
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly List<Socket> _connections = [];
    private readonly string _path;
    private readonly List<string> _events;

    /// <param name="path">Where it listens.</param>
    /// <param name="events">Takes each event: its topic without "/tasks/", and what it is about.</param>
    public EventServer(string path, List<string> events)
    {
        _path = path;
        _events = events;
        _listener.Bind(new UnixDomainSocketEndPoint(path));
        _listener.Listen();
        OwnThread.Run(Accept);
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_connections) _connections.ForEach(static one => one.Dispose());
        File.Delete(_path);
    }

    private void Accept()
    {
        try
        {
            while (true)
            {
                Socket connection = _listener.Accept();
                lock (_connections) _connections.Add(connection);
                OwnThread.Run(() => Serve(connection));
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    private void Serve(Socket connection)
    {
        FrameReader frames = new();
        try
        {
            for (int count; (count = connection.Receive(frames.Room)) > 0;)
            {
                frames.Add(count);
                while (frames.Next(out uint stream, out _, out _, out byte[]? message))
                {
                    Note(new Call(stream, message, static _ => { }).Payload);
                    connection.Send(Frame.Answer(stream, []));
                }
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
        }
    }

    /// <summary>The envelope: 3 is the topic and 4 the event, whose field 2 has the name of an exec.</summary>
    private void Note(byte[] forward)
    {
        string topic = "";
        AnyMessage any = default;
        for (ProtobufReader request = new(forward); request.Next();)
        {
            for (ProtobufReader envelope = new(request.Bytes); envelope.Next();)
            {
                if (envelope.Field == 3) topic = envelope.Text;
                else if (envelope.Field == 4) any = AnyMessage.Read(envelope.Bytes);
            }
        }
        string id = "", exec = "";
        for (ProtobufReader field = new(any.Value); field.Next();)
        {
            if (field.Field == 1) id = field.Text;
            else if (field.Field == 2 && !field.Bytes.IsEmpty) exec = field.Text;
        }
        bool isAboutExec = topic.Contains("exec") || (topic == "/tasks/exit" && exec != id);
        lock (_events) _events.Add(topic["/tasks/".Length..] + (isAboutExec ? $" {exec}" : ""));
    }
}
