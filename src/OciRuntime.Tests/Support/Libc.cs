using System.Runtime.InteropServices;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// The calls that the harness needs and Mono.Posix, of 2018, lacks: whole calls (posix_spawn(3), memfd_create(2), ioctl(2), umount2(2) …),
/// commands of fcntl(2), real-time signals. Deliberately not the runtime's own bindings: a bug there must not hide itself.
/// </summary>
internal static unsafe partial class Libc
{
    internal const int EPERM = 1, EINTR = 4, EIO = 5, EROFS = 30;
    internal const uint MFD_CLOEXEC = 1;
    internal const int SIGKILL = 9, SIGSTOP = 19;
    internal const int PR_SET_CHILD_SUBREAPER = 36;
    internal const int F_DUPFD_CLOEXEC = 1030, F_GET_SEALS = 1034;
    internal const short POSIX_SPAWN_SETSIGDEF = 4, POSIX_SPAWN_SETSIGMASK = 8, POSIX_SPAWN_SETSID = 0x80;
    internal const ulong TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414;
    internal const int SOL_SOCKET = 1, SCM_RIGHTS = 1, MSG_CMSG_CLOEXEC = 0x40000000;
    internal const int MNT_DETACH = 2;
    private const int CLOCK_THREAD_CPUTIME_ID = 3;
    private const long PidfdOpenNumber = 434; // the same on every architecture, like all calls newer than Linux 5.1

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        internal nint Seconds;
        internal nint Nanoseconds;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct IoVec
    {
        internal void* Base;
        internal nuint Length;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct MsgHdr
    {
        internal void* Name;
        internal uint NameLength;
        internal IoVec* Iov;
        internal nuint IovLength;
        internal void* Control;
        internal nuint ControlLength;
        internal int Flags;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct CmsgHdr
    {
        internal nuint Length;
        internal int Level;
        internal int Type;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct WinSize
    {
        internal ushort Rows;
        internal ushort Columns;
        internal ushort XPixels;
        internal ushort YPixels;
    }

    /// <summary>The processor time that the calling thread has used.</summary>
    internal static TimeSpan ThreadTime
    {
        get
        {
            Check(clock_gettime(CLOCK_THREAD_CPUTIME_ID, out TimeSpec time), "clock_gettime");
            return TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromMicroseconds(time.Nanoseconds / 1000.0);
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int clock_gettime(int clock, out TimeSpec time);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int gettid();

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setpriority(int which, int who, int value);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int prctl(int option, nuint arg2, nuint arg3, nuint arg4, nuint arg5);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int memfd_create(string name, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int fcntl(int fd, int command, nint argument);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int setns(int fd, int type);

    // Mono's takes the first 31 signals only.
    [LibraryImport("libc", SetLastError = true)]
    internal static partial int kill(int pid, int signal);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial int ioctl(int fd, ulong request, WinSize* size);

    [LibraryImport("libc", SetLastError = true)]
    internal static partial nint recvmsg(int fd, MsgHdr* message, int flags);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    internal static partial int umount2(string path, int flags);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall2(long number, nint first, nint second);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall4(long number, nint first, void* second, nint third, nint fourth);

    [LibraryImport("libc")]
    internal static partial int posix_spawnp(out int pid, byte* file, void* actions, void* attributes, byte** argv, byte** envp);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_init(void* actions);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_destroy(void* actions);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_adddup2(void* actions, int fd, int newFd);

    [LibraryImport("libc")]
    internal static partial int posix_spawn_file_actions_addclosefrom_np(void* actions, int from);

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int posix_spawn_file_actions_addchdir_np(void* actions, string path);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_init(void* attributes);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_destroy(void* attributes);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setflags(void* attributes, short flags);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setsigdefault(void* attributes, void* set);

    [LibraryImport("libc")]
    internal static partial int posix_spawnattr_setsigmask(void* attributes, void* set);

    [LibraryImport("libc")]
    internal static partial int sigemptyset(void* set);

    [LibraryImport("libc")]
    internal static partial int sigdelset(void* set, int signal);

    internal static int PidfdOpen(int pid) => (int)Syscall2(PidfdOpenNumber, pid, 0);

    /// <summary>sched_flags of sched_getattr(2).</summary>
    internal static ulong SchedulerFlags(int pid)
    {
        ulong* attributes = stackalloc ulong[6];
        Check(Syscall4(RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.X64 ? 315
            : 275, pid, attributes, 6 * sizeof(ulong), 0), "sched_getattr");
        return attributes[1];
    }

    internal static int LastErrno => Marshal.GetLastPInvokeError();

    /// <summary>Throws with the errno of the last call when <paramref name="result"/> says it failed.</summary>
    internal static int Check(long result, string what) =>
        result >= 0 ? (int)result : throw new IOException($"{what}: {Marshal.GetPInvokeErrorMessage(LastErrno)} (errno {LastErrno})");

    /// <summary>Waits for input or hang-up; false when the time is over.</summary>
    internal static bool WaitReadable(int fd, TimeSpan timeout)
    {
        long end = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        Pollfd[] one = [new() { fd = fd, events = PollEvents.POLLIN }];
        while (true)
        {
            int left = (int)Math.Clamp(end - Environment.TickCount64, 0, int.MaxValue);
            int ready = Syscall.poll(one, left);
            if (ready >= 0) return ready > 0;
            if (LastErrno != EINTR) throw new IOException($"poll: errno {LastErrno}");
        }
    }
}
