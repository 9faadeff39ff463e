using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>
/// The client's end of `kubectl exec -it` and `kubectl attach`: a WebSocket, on which the first byte of each message is the number of its
/// stream (v4.channel.k8s.io). kubectl of that time spoke SPDY instead, with the same streams.
/// </summary>
internal sealed class RemoteCommand : IDisposable
{
    private const byte Input = 0, Output = 1, Error = 2, Result = 3, Resize = 4;
    private readonly ClientWebSocket _socket = new();
    private readonly CancellationTokenSource _patience = new(CommandOptions.DefaultTimeout);
    private readonly StringBuilder _output = new();
    private string _result = "";

    /// <param name="response">Exec's or Attach's; its address is one of containerd's network.</param>
    public RemoteCommand(StreamingResponse response)
    {
        _socket.Options.AddSubProtocol("v4.channel.k8s.io");
        using SocketsHttpHandler handler =
            new()
            { ConnectCallback = (context, _) => ValueTask.FromResult<Stream>(Connect(context.DnsEndPoint)) };
        _socket.ConnectAsync(new Uri(response.Url.Replace("http:", "ws:")), new HttpMessageInvoker(handler, disposeHandler: false),
            _patience.Token).GetAwaiter().GetResult();
    }

    public void Write(string text) => Send(Input, Encoding.UTF8.GetBytes(text));

    public void SetSize(int columns, int rows) => Send(Resize, JsonSerializer.SerializeToUtf8Bytes(new { Width = columns, Height = rows }));

    /// <summary>Waits until the output so far, of both streams, contains a text; gives all of it.</summary>
    public string ReadUntil(string text)
    {
        while (!_output.ToString().Contains(text) && Receive()) { }
        return _output.ToString();
    }

    /// <summary>Waits for the end of the command and gives its exit code.</summary>
    public int WaitForEnd()
    {
        while (Receive()) { }
        JsonNode status = JsonNode.Parse(_result)!;
        return (string)status["status"]! == "Success" ? 0 : int.Parse((string)status["details"]!["causes"]![0]!["message"]!);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _socket.Dispose();
        _patience.Dispose();
    }

    private void Send(byte stream, byte[] content) =>
        _socket.SendAsync((byte[])[stream, .. content], WebSocketMessageType.Binary, endOfMessage: true, _patience.Token)
        .GetAwaiter().GetResult();

    /// <summary>Takes the next message; false at the end.</summary>
    private bool Receive()
    {
        byte[] buffer = new byte[64 << 10];
        WebSocketReceiveResult message = _socket.ReceiveAsync(buffer, _patience.Token).GetAwaiter().GetResult();
        if (message.MessageType == WebSocketMessageType.Close) return false;
        string text = Encoding.UTF8.GetString(buffer, 1, Math.Max(0, message.Count - 1));
        if (buffer[0] == Result) _result += text;
        else if (buffer[0] is Output or Error) _output.Append(text);
        return true;
    }

    /// <summary>A socket belongs to the network in which it was made; a thread of its own goes there and ends with that.</summary>
    private static NetworkStream Connect(DnsEndPoint address)
    {
        Socket socket = OwnThread.Run(() =>
        {
            int network = Libc.Check(Syscall.open($"/proc/{ContainerdHost.NetworkPid}/ns/net", OpenFlags.O_CLOEXEC), "open");
            Libc.Check(Libc.setns(network, 0), "setns");
            _ = Syscall.close(network);
            return new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        }).GetAwaiter().GetResult();
        socket.Connect(IPAddress.Parse(address.Host), address.Port);
        return new NetworkStream(socket, ownsSocket: true);
    }
}
