using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>struct msghdr on 64-bit Linux.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct MessageHeader
{
    public void* Name;
    public uint NameLength;
    public IoVector* Vectors;
    public nuint VectorCount;
    public void* Control;
    public nuint ControlLength;
    public int Flags;
}

/// <summary>struct iovec.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct IoVector
{
    public void* Base;
    public nuint Length;
}

/// <summary>A control message that carries one file descriptor (cmsg(3): 16 bytes of header, 4 of fd, 4 of padding).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct FdControl
{
    public nuint Length;
    public int Level, Type, Fd, Padding;
}

/// <summary>struct sockaddr_un.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct UnixAddress
{
    public ushort Family;
    public fixed byte Path[108];
}

/// <summary>struct ucred.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct PeerCredentials
{
    public int Pid;
    public uint Uid, Gid;
}

/// <summary>Unix sockets, with and without a passed descriptor.</summary>
internal static unsafe class Sockets
{
    // sun_path of sockaddr_un, with a NUL at its end.
    private const int PathSize = 108;

    public const int AF_UNIX = 1, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_SEQPACKET = 5, SOCK_CLOEXEC = 0x80000, SOCK_NONBLOCK = 0x800,
        SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_NOSIGNAL = 0x4000, MSG_CMSG_CLOEXEC = 0x40000000, MSG_DONTWAIT = 0x40,
        MSG_CTRUNC = 8, MSG_TRUNC = 0x20, SO_SNDTIMEO = 21, SO_PEERCRED = 17, SO_ACCEPTCONN = 30;

    // CMSG_LEN of one descriptor. With its padding, CMSG_SPACE, the kernel would find room for a second one and install it, unseen
    // (scm_max_fds).
    private const int OneDescriptor = 20;

    /// <summary>socketpair(2), close-on-exec.</summary>
    /// <exception cref="OciException">There is none to be had.</exception>
    public static (Fd One, Fd Other) Pair(int type)
    {
        int* fds = stackalloc int[2];
        OciException.Check(Pair(type, fds), "socketpair");
        return (new Fd(fds[0]), new Fd(fds[1]));
    }

    public static long Pair(int type, int* fds) => Kernel.Call(SyscallNumber.Socketpair, AF_UNIX, type | SOCK_CLOEXEC, 0, (nint)fds);

    /// <summary>Nothing more is going to be sent: the peer reads what there is, then the end.</summary>
    public static long EndSending(int socket)
    {
        const int SHUT_WR = 1;
        return Kernel.Call(SyscallNumber.Shutdown, socket, SHUT_WR);
    }

    /// <summary>A unix socket, close-on-exec.</summary>
    /// <exception cref="OciException">There is none to be had.</exception>
    public static Fd Open(int type) => Fd.Of(Create(type), "socket");

    public static long Create(int type) => Kernel.Call(SyscallNumber.Socket, AF_UNIX, type | SOCK_CLOEXEC);

    /// <summary>
    /// A stream connection to whoever listens at a path. It does not block, and neither does this: a listener that takes no more
    /// connections answers EAGAIN then (unix(7)), and is asked again for as long as the patience lasts.
    /// </summary>
    /// <exception cref="OciException">Nobody listens, or in vain (ETIMEDOUT); the message begins with <paramref name="what"/>.</exception>
    public static Fd ConnectStream(string path, string what, Patience patience)
    {
        Fd socket = Open(SOCK_STREAM | SOCK_NONBLOCK);
        try
        {
            OciException.Check(patience.Retry(() => Connect(socket.Number, path)), what);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Sends all of a text over a stream, and a descriptor with its first byte, or fails: with ETIMEDOUT where nobody reads for as long as
    /// the patience lasts.
    /// </summary>
    public static long SendAll(int fd, ReadOnlySpan<byte> data, int passed, Patience patience)
    {
        fixed (byte* p = data)
        {
            for (int sent = 0; sent < data.Length;)
            {
                byte* rest = p + sent;
                int left = data.Length - sent, with = sent == 0 ? passed : -1;
                long n = patience.Retry(() => Send(fd, rest, left, with, MSG_DONTWAIT));
                if (n < 0) return n;
                sent += (int)n;
            }
        }
        return 0;
    }

    /// <summary>
    /// Connects to a path, or a name in the abstract namespace (see <see cref="WithAddress"/>). A path that sockaddr_un has no room for,
    /// deep bundles and state directories have such, goes by way of a descriptor of the socket's file, as crun does it.
    /// </summary>
    public static long Connect(int fd, string path)
    {
        if (path.StartsWith('@') || System.Text.Encoding.UTF8.GetByteCount(path) < PathSize)
            return WithAddress(SyscallNumber.Connect, fd, path);
        long file = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH);
        if (file < 0) return file;
        long result = WithAddress(SyscallNumber.Connect, fd, $"/proc/self/fd/{file}");
        Files.Close((int)file);
        return result;
    }

    /// <summary>For how long connect(2) and sending may wait (socket(7)), whatever signals come; then they fail with EAGAIN.</summary>
    public static long SetSendTimeout(int fd, int milliseconds)
    {
        // struct timeval has the same layout, with microseconds.
        TimeSpec time = new() { Seconds = milliseconds / 1000, Nanoseconds = milliseconds % 1000 * 1000 };
        return Kernel.Call(SyscallNumber.Setsockopt, fd, SOL_SOCKET, SO_SNDTIMEO, (nint)(&time), sizeof(TimeSpec));
    }

    /// <summary>The path that it is bound to; empty where there is none.</summary>
    public static string PathOf(int fd)
    {
        UnixAddress address = default;
        int size = sizeof(UnixAddress);
        long result = Kernel.Call(SyscallNumber.Getsockname, fd, (nint)(&address), (nint)(&size));
        ReadOnlySpan<byte> path = new(address.Path, result < 0 ? 0 : Math.Clamp(size - sizeof(ushort), 0, PathSize));
        return System.Text.Encoding.UTF8.GetString(path.TrimEnd((byte)0));
    }

    /// <summary>Who has connected (socket(7), SO_PEERCRED).</summary>
    public static long PeerOf(int fd, out PeerCredentials peer) => Option(fd, SO_PEERCRED, out peer);

    /// <summary>Whether it is a socket that takes connections.</summary>
    public static bool Listens(int fd) => Option(fd, SO_ACCEPTCONN, out int listens) >= 0 && listens != 0;

    private static long Option<T>(int fd, int name, out T value)
        where T : unmanaged
    {
        value = default;
        int size = sizeof(T);
        fixed (T* p = &value) return Kernel.Call(SyscallNumber.Getsockopt, fd, SOL_SOCKET, name, (nint)p, (nint)(&size));
    }

    public static long Bind(int fd, string path) => WithAddress(SyscallNumber.Bind, fd, path);

    public static long Listen(int fd, int backlog) => Kernel.Call(SyscallNumber.Listen, fd, backlog);

    public static long Accept(int fd, int flags = 0) => Kernel.CallBlocking(SyscallNumber.Accept4, fd, 0, 0, SOCK_CLOEXEC | flags);

    /// <summary>Sends bytes and, unless <paramref name="passed"/> is negative, one descriptor. SIGPIPE is never raised.</summary>
    public static long Send(int fd, void* data, int length, int passed = -1, int flags = 0)
    {
        IoVector vector = new() { Base = data, Length = (nuint)length };
        FdControl control = new() { Length = OneDescriptor, Level = SOL_SOCKET, Type = SCM_RIGHTS, Fd = passed };
        MessageHeader header = new() { Vectors = &vector, VectorCount = 1 };
        if (passed >= 0)
        {
            header.Control = &control;
            header.ControlLength = (nuint)sizeof(FdControl);
        }
        return Kernel.CallBlocking(SyscallNumber.Sendmsg, fd, (nint)(&header), MSG_NOSIGNAL | flags);
    }

    public static long Send(int fd, ReadOnlySpan<byte> data, int passed = -1, int flags = 0)
    {
        fixed (byte* p = data) return Send(fd, p, data.Length, passed, flags);
    }

    /// <summary>Sends a structure as one message.</summary>
    public static long SendValue<T>(int fd, in T message, int passed = -1, int flags = 0) where T : unmanaged
    {
        fixed (T* p = &message) return Send(fd, p, sizeof(T), passed, flags);
    }

    public static long Receive(int fd, Span<byte> data, out int passed)
    {
        fixed (byte* p = data) return Receive(fd, p, data.Length, out passed, out _);
    }

    /// <summary>Receives a structure as one message; returns how many bytes have come.</summary>
    public static long ReceiveValue<T>(int fd, out T message, out int passed, out int flags) where T : unmanaged
    {
        message = default;
        fixed (T* p = &message) return Receive(fd, p, sizeof(T), out passed, out flags);
    }

    /// <summary>
    /// Receives one message; <paramref name="passed"/> is the descriptor that came with it, or -1. What came beyond that the kernel has
    /// dropped.
    /// </summary>
    public static long Receive(int fd, void* data, int length, out int passed) => Receive(fd, data, length, out passed, out _);

    /// <summary>The same; the flags say what was cut off: MSG_TRUNC bytes, MSG_CTRUNC descriptors (recvmsg(2)).</summary>
    public static long Receive(int fd, void* data, int length, out int passed, out int flags)
    {
        IoVector vector = new() { Base = data, Length = (nuint)length };
        FdControl control = default;
        MessageHeader header = new() { Vectors = &vector, VectorCount = 1, Control = &control, ControlLength = OneDescriptor };
        long result = Kernel.CallBlocking(SyscallNumber.Recvmsg, fd, (nint)(&header), MSG_CMSG_CLOEXEC);
        passed = result >= 0 && header.ControlLength >= OneDescriptor && control.Level == SOL_SOCKET && control.Type == SCM_RIGHTS
            ? control.Fd : -1;
        flags = result >= 0 ? header.Flags : 0;
        return result;
    }

    /// <summary>A name that begins with "@" is one in the abstract namespace, as sd_notify(3) and Go's net package have it.</summary>
    private static long WithAddress(int call, int fd, string path)
    {
        UnixAddress address = new() { Family = AF_UNIX };
        ReadOnlySpan<byte> bytes = System.Text.Encoding.UTF8.GetBytes(path);
        if (bytes.Length >= PathSize) return -Errno.ENAMETOOLONG;
        bytes.CopyTo(new Span<byte>(address.Path, PathSize));
        bool isAbstract = path.StartsWith('@');
        if (isAbstract) address.Path[0] = 0;
        return Kernel.Call(call, fd, (nint)(&address), 2 + bytes.Length + (isAbstract ? 0 : 1));
    }
}
