using System.Buffers.Binary;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>
/// ttrpc's frames (github.com/containerd/ttrpc, PROTOCOL.md): four bytes of length, four of the stream, one of the type, one of flags, all
/// in network order, and a message.
/// </summary>
internal static class Frame
{
    public const int HeaderSize = 10;

    /// <summary>Longest message, of either side.</summary>
    public const int MaxMessage = 4 << 20;

    public const byte Request = 1, Response = 2;

    /// <summary>A frame with its message.</summary>
    public static byte[] Encode(uint stream, byte type, ReadOnlySpan<byte> message)
    {
        byte[] frame = new byte[HeaderSize + message.Length];
        BinaryPrimitives.WriteUInt32BigEndian(frame, (uint)message.Length);
        BinaryPrimitives.WriteUInt32BigEndian(frame.AsSpan(4), stream);
        frame[8] = type;
        message.CopyTo(frame.AsSpan(HeaderSize));
        return frame;
    }

    /// <summary>An answer: the result's message, or why there is none.</summary>
    public static byte[] Answer(uint stream, ReadOnlySpan<byte> result) =>
        result.Length > MaxMessage - 16 ? Answer(stream, new TaskError(RpcCode.ResourceExhausted, "the answer is too long"))
        : Encode(stream, Response, new ProtobufWriter().Bytes(2, result).Written);

    /// <inheritdoc cref="Answer(uint, ReadOnlySpan{byte})"/>
    public static byte[] Answer(uint stream, TaskError error) =>
        Encode(stream, Response, new ProtobufWriter()
            .Message(1, new ProtobufWriter().Number(1, (long)error.Code).Text(2, error.Message)).Written);
}

/// <summary>Takes frames out of a stream of bytes, which are whatever the peer likes.</summary>
internal sealed class FrameReader
{
    private const int FirstSize = 1024, Kept = 64 << 10;
    private byte[] _buffer = new byte[FirstSize];
    private int _used, _skipped;
    private long _toSkip;

    /// <summary>Where the next bytes go; never empty, and never far more than what has come.</summary>
    public Span<byte> Room
    {
        get
        {
            if (_used == _buffer.Length) Array.Resize(ref _buffer, Math.Min(_buffer.Length * 2, Frame.HeaderSize + Frame.MaxMessage));
            return _buffer.AsSpan(_used);
        }
    }

    /// <summary>So many bytes were put there.</summary>
    public void Add(int count) => _used += count;

    /// <summary>The next whole frame; valid until the next call. False when there is none yet.</summary>
    /// <param name="stream">Its stream.</param>
    /// <param name="type">Its type.</param>
    /// <param name="flags">Its flags.</param>
    /// <param name="message">Its message; null for one that is longer than is allowed, whose bytes are passed over.</param>
    public bool Next(out uint stream, out byte type, out byte flags, out byte[]? message)
    {
        stream = 0;
        type = flags = 0;
        message = null;
        Skip();
        ReadOnlySpan<byte> come = _buffer.AsSpan(_skipped, _used - _skipped);
        if (_toSkip > 0 || come.Length < Frame.HeaderSize)
        {
            Compact();
            return false;
        }
        uint length = BinaryPrimitives.ReadUInt32BigEndian(come);
        bool fits = length <= Frame.MaxMessage;
        if (fits && come.Length - Frame.HeaderSize < length)
        {
            Compact();
            return false;
        }
        stream = BinaryPrimitives.ReadUInt32BigEndian(come[4..]);
        (type, flags) = (come[8], come[9]);
        _skipped += Frame.HeaderSize;
        if (fits)
        {
            message = come.Slice(Frame.HeaderSize, (int)length).ToArray();
            _skipped += (int)length;
        }
        else
        {
            _toSkip = length;
            Skip();
        }
        return true;
    }

    private void Skip()
    {
        int now = (int)Math.Min(_toSkip, _used - _skipped);
        _skipped += now;
        _toSkip -= now;
    }

    private void Compact()
    {
        int left = _used - _skipped;
        // One long message is no reason to keep the room for the next.
        byte[] target = _buffer.Length > Kept && left < FirstSize ? new byte[FirstSize] : _buffer;
        _buffer.AsSpan(_skipped, left).CopyTo(target);
        _buffer = target;
        (_used, _skipped) = (left, 0);
    }
}
