using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>A request that waits for its answer, which is given once; a client that is gone by then does not get it.</summary>
internal sealed class Call
{
    private readonly Action<byte[]> _send;
    private readonly uint _stream;
    private bool _answered;

    /// <param name="stream">The request's stream.</param>
    /// <param name="message">A ttrpc request: 1 service, 2 method, 3 payload, 4 nanoseconds that the client waits.</param>
    /// <param name="send">Takes the frame of the answer.</param>
    /// <exception cref="FormatException">It is none.</exception>
    public Call(uint stream, ReadOnlySpan<byte> message, Action<byte[]> send)
    {
        _stream = stream;
        _send = send;
        for (ProtobufReader field = new(message); field.Next();)
        {
            switch (field.Field)
            {
                case 1: Service = field.Text; break;
                case 2: Method = field.Text; break;
                case 3: Payload = field.Bytes.ToArray(); break;
                // What is less than one is not for ever.
                case 4: Milliseconds = field.Number / 1_000_000 + (field.Number % 1_000_000 > 0 ? 1 : 0); break;
                default: break;
            }
        }
    }

    public string Service { get; } = "";

    public string Method { get; } = "";

    public byte[] Payload { get; } = [];

    /// <summary>How long the client waits; 0 for ever.</summary>
    public long Milliseconds { get; }

    /// <summary>Called when the client is gone before there is an answer.</summary>
    public Action? Abandoned { get; set; }

    /// <summary>What comes of it when the client's time is over; there is none of that after an answer.</summary>
    public EventLoop.Timer? Deadline { get; set; }

    /// <summary>Nobody waits for the answer any more.</summary>
    public void Abandon()
    {
        _answered = true;
        Deadline?.Cancel();
        Abandoned?.Invoke();
    }

    /// <summary>Answers with an empty message.</summary>
    public void Answer() => Answer([]);

    public void Answer(ProtobufWriter result) => Answer(result.Written);

    public void Fail(TaskError error) => Send(Frame.Answer(_stream, error));

    private void Answer(ReadOnlySpan<byte> result) => Send(Frame.Answer(_stream, result));

    private void Send(byte[] frame)
    {
        if (_answered) return;
        _answered = true;
        Deadline?.Cancel();
        _send(frame);
    }
}
