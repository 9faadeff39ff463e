namespace OciRuntime.Linux;

/// <summary>System call numbers of x86_64 (arch/x86/entry/syscalls/syscall_64.tbl); numbers from 424 on are the same everywhere.</summary>
internal static partial class SyscallNumber
{
    public const int Read = 0, Write = 1, Close = 3, Pread64 = 17, Lseek = 8, RtSigaction = 13, RtSigprocmask = 14, Ioctl = 16, Getpid = 39,
        Socket = 41, Connect = 42, Sendmsg = 46, Recvmsg = 47, Bind = 49, Listen = 50, Socketpair = 53, Setsockopt = 54, Execve = 59,
        Wait4 = 61, Kill = 62, Fcntl = 72, Flock = 73, Fsync = 74, Ftruncate = 77, Getcwd = 79, Chdir = 80, Fchdir = 81, Fchmod = 91,
        Fchown = 93, Umask = 95, Geteuid = 107, Getegid = 108, Setsid = 112, Setgroups = 116,
        Setresuid = 117, Setresgid = 119, Capget = 125, Capset = 126, Personality = 135, Statfs = 137, Fstatfs = 138, PivotRoot = 155,
        Prctl = 157, Chroot = 161, Umount2 = 166, Sethostname = 170, Setdomainname = 171, SchedSetaffinity = 203,
        Getdents64 = 217, ClockGettime = 228, ExitGroup = 231, Keyctl = 250, Openat = 257, Mkdirat = 258, Mknodat = 259,
        Fchownat = 260, Unlinkat = 263, Linkat = 265, Symlinkat = 266, Readlinkat = 267, Fchmodat = 268, Ppoll = 271, Unshare = 272,
        ClockNanosleep = 230,
        Accept4 = 288, Signalfd4 = 289, Eventfd2 = 290, Dup3 = 292, Pipe2 = 293, Prlimit64 = 302, Setns = 308, Renameat2 = 316,
        MemfdCreate = 319,
        Bpf = 321, Seccomp = 317, Clone = 56, Faccessat = 269, Statx = 332,
        Fsetxattr = 190, Fgetxattr = 193, Flistxattr = 196, Utimensat = 280,
        Mmap = 9, Mount = 165, SchedGetaffinity = 204, Waitid = 247, SchedSetattr = 314, IoprioSet = 251, SetMempolicy = 238,
        InotifyInit1 = 294, InotifyAddWatch = 254, Ptrace = 101, SchedGetattr = 315, IoprioGet = 252,
        Munmap = 11, Getsockopt = 55, Getsockname = 51, Getppid = 110, EpollCreate1 = 291, EpollCtl = 233, EpollPwait = 281, Splice = 275,
        Shutdown = 48, Getpgid = 121;

    /// <summary>What seccomp filters see as the architecture (include/uapi/linux/audit.h).</summary>
    public const uint AuditArch = 0xc000003e;
}
