using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>A seccomp agent: takes listeners on a socket and answers every notification the same way.</summary>
internal sealed unsafe partial class AgentSocket : IDisposable
{
    private const ulong Receive = 0xc0502100, Send = 0xc0182101;
    private readonly Socket _listener = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    private readonly Func<int, int> _answer;
    private readonly Task _work;
    private volatile bool _ends;

    /// <param name="answer">From a call's number to the errno it gets; 0 lets the kernel go on with it.</param>
    public AgentSocket(Func<int, int> answer)
    {
        _answer = answer;
        Path = TestRun.NewPath("sockets", ".sock");
        _listener.Bind(new UnixDomainSocketEndPoint(Path));
        _listener.Listen(4);
        _work = OwnThread.Run(Work);
    }

    /// <summary>linux.seccomp.listenerPath.</summary>
    public string Path { get; }

    /// <summary>The container process state that came with the listener.</summary>
    public JsonObject? State { get; private set; }

    /// <summary>Numbers of the calls that were asked about.</summary>
    public ConcurrentQueue<int> Calls { get; } = [];

    public void Dispose()
    {
        _ends = true;
        try
        {
            _work.Wait();
        }
        finally
        {
            _listener.Dispose();
            File.Delete(Path);
        }
    }

    private void Work()
    {
        while (!_listener.Poll(50_000, SelectMode.SelectRead)) if (_ends) return;
        using Socket connection = _listener.Accept();
        // Who is killed before it has said anything gives none.
        if (TakeDescriptor((int)connection.Handle) is not { } fd) return;
        Pollfd[] poll = [new() { fd = fd, events = PollEvents.POLLIN }];
        while (!_ends && (poll[0].revents & ~PollEvents.POLLIN) == 0)
        {
            if (Syscall.poll(poll, 50) > 0 && (poll[0].revents & PollEvents.POLLIN) != 0) AnswerOne(fd);
        }
        _ = Syscall.close(fd);
    }

    private int? TakeDescriptor(int socket)
    {
        byte* data = stackalloc byte[65536];
        byte* control = stackalloc byte[64];
        Libc.IoVec vector = new() { Base = data, Length = 65536 };
        Libc.MsgHdr message = new() { Iov = &vector, IovLength = 1, Control = control, ControlLength = 64 };
        int length = Libc.Check(Libc.recvmsg(socket, &message, Libc.MSG_CMSG_CLOEXEC), "recvmsg");
        if (length == 0) return null;
        State = JsonNode.Parse(Encoding.UTF8.GetString(data, length))!.AsObject();
        return *(int*)(control + sizeof(Libc.CmsgHdr));
    }

    private void AnswerOne(int fd)
    {
        Notification notification = default;
        // The process may have been killed in the meantime.
        if (ioctl(fd, Receive, &notification) < 0) return;
        Calls.Enqueue(notification.Number);
        int errno = _answer(notification.Number);
        Response response = new() { Id = notification.Id, Error = -errno, Flags = errno == 0 ? 1u : 0 };
        _ = ioctl(fd, Send, &response);
    }

    /// <summary>struct seccomp_notif.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Notification
    {
        public ulong Id;
        public uint Pid, Flags;
        public int Number;
        public uint Arch;
        public ulong InstructionPointer;
        public fixed ulong Arguments[6];
    }

    /// <summary>struct seccomp_notif_resp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Response
    {
        public ulong Id;
        public long Value;
        public int Error;
        public uint Flags;
    }

    [LibraryImport("libc")]
    private static partial int ioctl(int fd, ulong request, void* argument);
}
