using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>struct epoll_event, which x86_64 alone packs (include/uapi/linux/eventpoll.h).</summary>
#if ARM64
[StructLayout(LayoutKind.Sequential)]
#else
[StructLayout(LayoutKind.Sequential, Pack = 4)]
#endif
internal struct EpollEvent
{
    /// <summary>EPOLL… bits.</summary>
    public uint Events;

    /// <summary>What the watcher has named it by.</summary>
    public ulong Data;
}

/// <summary>Descriptors to wait for, as many as there are (epoll(7)).</summary>
internal static unsafe class Epoll
{
    public const uint EPOLLIN = 1, EPOLLPRI = 2, EPOLLOUT = 4, EPOLLET = 1u << 31;
    private const int EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CTL_MOD = 3;

    /// <summary>A set without members, close-on-exec.</summary>
    public static long Create() => Kernel.Call(SyscallNumber.EpollCreate1, Files.O_CLOEXEC);

    public static long Add(int set, int fd, uint events, ulong data) => Control(set, EPOLL_CTL_ADD, fd, events, data);

    public static long Modify(int set, int fd, uint events, ulong data) => Control(set, EPOLL_CTL_MOD, fd, events, data);

    public static long Remove(int set, int fd) => Control(set, EPOLL_CTL_DEL, fd, 0, 0);

    /// <summary>Waits; how many entries have been filled, 0 when the time is over. Negative milliseconds are no limit.</summary>
    public static long Wait(int set, Span<EpollEvent> events, int milliseconds)
    {
        fixed (EpollEvent* p = events)
        {
            return Kernel.CallBlocking(SyscallNumber.EpollPwait, set, (nint)p, events.Length, milliseconds, 0, 8);
        }
    }

    private static long Control(int set, int operation, int fd, uint events, ulong data)
    {
        EpollEvent wanted = new() { Events = events, Data = data };
        return Kernel.Call(SyscallNumber.EpollCtl, set, operation, fd, (nint)(&wanted));
    }
}
