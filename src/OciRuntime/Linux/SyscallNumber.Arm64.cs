namespace OciRuntime.Linux;

/// <summary>System call numbers of arm64 and every other architecture on the generic table (include/uapi/asm-generic/unistd.h).</summary>
internal static partial class SyscallNumber
{
    public const int Read = 63, Write = 64, Close = 57, Pread64 = 67, Lseek = 62, RtSigaction = 134, RtSigprocmask = 135, Ioctl = 29,
        Getpid = 172,
        Socket = 198, Connect = 203, Sendmsg = 211, Recvmsg = 212, Bind = 200, Listen = 201, Socketpair = 199,
        Setsockopt = 208, Execve = 221,
        Wait4 = 260, Kill = 129, Fcntl = 25, Flock = 32, Ftruncate = 46, Fsync = 82, Getcwd = 17, Chdir = 49, Fchdir = 50, Fchmod = 52,
        Fchown = 55, Umask = 166, Geteuid = 175, Getegid = 177, Setsid = 157, Setgroups = 159,
        Setresuid = 147, Setresgid = 149, Capget = 90, Capset = 91, Personality = 92, Statfs = 43, Fstatfs = 44, PivotRoot = 41,
        Prctl = 167, Chroot = 51, Umount2 = 39, Sethostname = 161, Setdomainname = 162, SchedSetaffinity = 122,
        Getdents64 = 61, ClockGettime = 113, ExitGroup = 94, Keyctl = 219, Openat = 56, Mkdirat = 34, Mknodat = 33,
        Fchownat = 54, Unlinkat = 35, Linkat = 37, Symlinkat = 36, Readlinkat = 78, Fchmodat = 53, Ppoll = 73, Unshare = 97,
        ClockNanosleep = 115,
        Accept4 = 242, Signalfd4 = 74, Eventfd2 = 19, Dup3 = 24, Pipe2 = 59, Prlimit64 = 261, Setns = 268, Renameat2 = 276,
        MemfdCreate = 279,
        Bpf = 280, Seccomp = 277, Clone = 220, Faccessat = 48, Statx = 291,
        Fsetxattr = 7, Fgetxattr = 10, Flistxattr = 13, Utimensat = 88,
        Mmap = 222, Mount = 40, SchedGetaffinity = 123, Waitid = 95, SchedSetattr = 274, IoprioSet = 30, SetMempolicy = 237,
        InotifyInit1 = 26, InotifyAddWatch = 27, Ptrace = 117, SchedGetattr = 275, IoprioGet = 31,
        Munmap = 215, Getsockopt = 209, Getsockname = 204, Getppid = 173, EpollCreate1 = 20, EpollCtl = 21, EpollPwait = 22, Splice = 76,
        Shutdown = 210, Getpgid = 155;

    /// <summary>What seccomp filters see as the architecture (include/uapi/linux/audit.h).</summary>
    public const uint AuditArch = 0xc00000b7;
}
