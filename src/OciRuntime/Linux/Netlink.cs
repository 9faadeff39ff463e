using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace OciRuntime.Linux;

/// <summary>struct nlmsghdr (netlink(7)).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct NetlinkHeader
{
    public const int Size = 16;

    public uint Length;
    public ushort Type, Flags;
    public uint Sequence, Port;
}

/// <summary>Words of the netlink protocol itself.</summary>
internal static class Netlink
{
    public const ushort NLM_F_REQUEST = 1, NLM_F_ACK = 4, NLM_F_DUMP_INTR = 0x10, NLM_F_EXCL = 0x200, NLM_F_DUMP = 0x300,
        NLM_F_CREATE = 0x400,
        NLM_F_CAPPED = 0x100, NLM_F_ACK_TLVS = 0x200;
    public const ushort NLMSG_ERROR = 2, NLMSG_DONE = 3, NLMSGERR_ATTR_MSG = 1;

    /// <summary>Messages and attributes begin at multiples of 4.</summary>
    public static int Align(int length) => (length + 3) & ~3;
}

/// <summary>A request that is being written into the caller's buffer. Too small a buffer is a mistake of the program, and throws.</summary>
internal ref struct NetlinkRequest
{
    private readonly Span<byte> _buffer;
    private int _length;

    /// <param name="buffer">Room for the whole request.</param>
    /// <param name="type">RTM_…</param>
    /// <param name="flags">NLM_F_… besides NLM_F_REQUEST.</param>
    public NetlinkRequest(Span<byte> buffer, ushort type, ushort flags)
    {
        _buffer = buffer;
        _buffer.Clear();
        Put(new NetlinkHeader { Type = type, Flags = (ushort)(flags | Netlink.NLM_F_REQUEST) });
    }

    /// <summary>Appends a structure, padded.</summary>
    public void Put<T>(in T value)
        where T : unmanaged
    {
        MemoryMarshal.Write(_buffer[_length..], in value);
        _length += Netlink.Align(Unsafe.SizeOf<T>());
    }

    /// <summary>Appends an attribute (struct rtattr: length, type, value).</summary>
    public void Attribute(ushort type, scoped ReadOnlySpan<byte> value)
    {
        Put((ushort)(4 + value.Length) | ((uint)type << 16));
        value.CopyTo(_buffer[_length..]);
        _length += Netlink.Align(value.Length);
    }

    public void Attribute(ushort type, int value) => Attribute(type, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    /// <summary>Text attributes end with a NUL.</summary>
    public void Attribute(ushort type, string text) => Attribute(type, Encoding.UTF8.GetBytes(text + '\0'));

    /// <summary>The bytes to send.</summary>
    public readonly ReadOnlySpan<byte> Finish(uint sequence)
    {
        MemoryMarshal.Write(_buffer, (uint)_length);
        MemoryMarshal.Write(_buffer[8..], sequence);
        return _buffer[.._length];
    }
}

/// <summary>Walks attributes: <c>while (attributes.Next()) …</c>. What does not fit its own length ends the walk.</summary>
internal ref struct NetlinkAttributes(ReadOnlySpan<byte> bytes)
{
    // NLA_F_NESTED and NLA_F_NET_BYTEORDER are no part of the type.
    private const int TypeMask = 0x3fff;
    private ReadOnlySpan<byte> _rest = bytes;

    public ushort Type { get; private set; }
    public ReadOnlySpan<byte> Value { get; private set; }

    public bool Next()
    {
        if (_rest.Length < 4) return false;
        int length = MemoryMarshal.Read<ushort>(_rest);
        if (length < 4 || length > _rest.Length) return false;
        Type = (ushort)(MemoryMarshal.Read<ushort>(_rest[2..]) & TypeMask);
        Value = _rest[4..length];
        _rest = _rest[Math.Min(Netlink.Align(length), _rest.Length)..];
        return true;
    }

    /// <summary>A value as text, its NUL left out.</summary>
    public readonly string Text => Encoding.UTF8.GetString(Value.TrimEnd((byte)0));
}

/// <summary>Takes one message of an answer.</summary>
/// <param name="type">RTM_…</param>
/// <param name="body">What follows the header.</param>
internal delegate void NetlinkAnswer(ushort type, ReadOnlySpan<byte> body);

/// <summary>
/// A conversation with the kernel's routing part, in the network namespace in which it was opened, wherever its owner goes afterwards.
/// </summary>
internal sealed unsafe class NetlinkSocket : IDisposable
{
    private const int AF_NETLINK = 16, SOCK_RAW = 3, NETLINK_ROUTE = 0, SOL_NETLINK = 270, NETLINK_CAP_ACK = 10, NETLINK_EXT_ACK = 11;

    // The kernel fills at most this much of a dump at a time (NLMSG_GOODSIZE, and 32 KiB for those who have room).
    private readonly byte[] _buffer = new byte[32768];
    private readonly Fd _fd;
    private uint _sequence;

    private NetlinkSocket(Fd fd) => _fd = fd;

    /// <summary>The kernel's own words on the last failure (extended ack), or "".</summary>
    public string Explanation { get; private set; } = "";

    /// <exception cref="OciException">There is no such socket.</exception>
    public static NetlinkSocket Open()
    {
        Fd fd = Fd.Of(Kernel.Call(SyscallNumber.Socket, AF_NETLINK, SOCK_RAW | Sockets.SOCK_CLOEXEC, NETLINK_ROUTE), "netlink socket");
        int on = 1;
        // Older kernels (before 4.12) know neither of the two: then there are no words.
        Kernel.Call(SyscallNumber.Setsockopt, fd.Number, SOL_NETLINK, NETLINK_EXT_ACK, (nint)(&on), sizeof(int));
        Kernel.Call(SyscallNumber.Setsockopt, fd.Number, SOL_NETLINK, NETLINK_CAP_ACK, (nint)(&on), sizeof(int));
        return new NetlinkSocket(fd);
    }

    /// <summary>
    /// Sends a request with NLM_F_ACK or NLM_F_DUMP and reads all of its answer. Returns 0 or a negated errno; EAGAIN when what was listed
    /// changed meanwhile.
    /// </summary>
    public long Execute(NetlinkRequest request, NetlinkAnswer? answer = null)
    {
        Explanation = "";
        long sent = Files.Write(_fd.Number, request.Finish(++_sequence));
        if (sent < 0) return sent;
        bool interrupted = false;
        while (true)
        {
            long n = Receive();
            if (n < 0) return n;
            if (Read(_buffer.AsSpan(0, (int)n), answer, ref interrupted) is { } result)
                return result < 0 || !interrupted ? result : -Errno.EAGAIN;
        }
    }

    private long Receive()
    {
        fixed (byte* p = _buffer)
        {
            NetlinkAddress sender = default;
            IoVector vector = new() { Base = p, Length = (nuint)_buffer.Length };
            MessageHeader header = new() { Name = &sender, NameLength = (uint)sizeof(NetlinkAddress), Vectors = &vector, VectorCount = 1 };
            while (true)
            {
                long n = Kernel.CallBlocking(SyscallNumber.Recvmsg, _fd.Number, (nint)(&header), 0);
                if (n >= 0 && (header.Flags & Sockets.MSG_TRUNC) != 0) return -Errno.EOVERFLOW;
                // Port 0 is the kernel; other processes can send here, too.
                if (n < 0 || sender.Port == 0) return n;
            }
        }
    }

    /// <summary>The result when the answer ends in these messages, else null.</summary>
    private long? Read(ReadOnlySpan<byte> bytes, NetlinkAnswer? answer, ref bool interrupted)
    {
        while (bytes.Length >= NetlinkHeader.Size)
        {
            NetlinkHeader header = MemoryMarshal.Read<NetlinkHeader>(bytes);
            if (header.Length < NetlinkHeader.Size || header.Length > bytes.Length) return -Errno.EPROTO;
            ReadOnlySpan<byte> body = bytes[NetlinkHeader.Size..(int)header.Length];
            bytes = bytes[Math.Min(Netlink.Align((int)header.Length), bytes.Length)..];
            if (header.Sequence != _sequence) continue;
            interrupted |= (header.Flags & Netlink.NLM_F_DUMP_INTR) != 0;
            if (header.Type is Netlink.NLMSG_ERROR or Netlink.NLMSG_DONE) return Result(header, body);
            answer?.Invoke(header.Type, body);
        }
        return null;
    }

    /// <summary>
    /// struct nlmsgerr: the errno, the request's header, what the kernel says to it. The end of a dump has the errno only, or nothing.
    /// </summary>
    private long Result(in NetlinkHeader header, ReadOnlySpan<byte> body)
    {
        if (body.Length < sizeof(int)) return header.Type == Netlink.NLMSG_DONE ? 0 : -Errno.EPROTO;
        int error = MemoryMarshal.Read<int>(body);
        if (error < 0 && header.Type == Netlink.NLMSG_ERROR && (header.Flags & Netlink.NLM_F_ACK_TLVS) != 0)
            Explanation = Words(header, body[sizeof(int)..]);
        return error;
    }

    private static string Words(in NetlinkHeader header, ReadOnlySpan<byte> original)
    {
        if (original.Length < NetlinkHeader.Size) return "";
        int skipped = (header.Flags & Netlink.NLM_F_CAPPED) != 0 ? NetlinkHeader.Size
            : Netlink.Align((int)Math.Min(MemoryMarshal.Read<uint>(original), (uint)original.Length));
        NetlinkAttributes attributes = new(original[Math.Min(skipped, original.Length)..]);
        while (attributes.Next()) if (attributes.Type == Netlink.NLMSGERR_ATTR_MSG) return attributes.Text;
        return "";
    }

    public void Dispose() => _fd.Dispose();

    /// <summary>struct sockaddr_nl.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct NetlinkAddress
    {
        public ushort Family, Padding;
        public uint Port, Groups;
    }
}
