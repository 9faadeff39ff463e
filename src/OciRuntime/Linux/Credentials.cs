using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>capset(2) header, version 3.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CapabilityHeader
{
    public uint Version;
    public int Pid;
}

/// <summary>capset(2) data: two 32-bit words for each of the three sets, interleaved.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct CapabilityData
{
    public uint Effective0, Permitted0, Inheritable0, Effective1, Permitted1, Inheritable1;
}

/// <summary>
/// Users, groups, capabilities and keyrings of the calling thread (raw calls: glibc would broadcast them to threads that do not exist in
/// the child).
/// </summary>
internal static unsafe class Credentials
{
    /// <summary>Numbers of capabilities that decide how something is done (include/uapi/linux/capability.h).</summary>
    public const int CAP_SETGID = 6, CAP_SETUID = 7, CAP_SETPCAP = 8, CAP_NET_ADMIN = 12, CAP_SYS_ADMIN = 21,
        CAP_SYS_RESOURCE = 24, CAP_MKNOD = 27, CAP_SETFCAP = 31;

    private const uint CapabilityVersion3 = 0x20080522;
    private const int KEYCTL_JOIN_SESSION_KEYRING = 1, KEYCTL_SETPERM = 5, KEYCTL_DESCRIBE = 6;

    /// <summary>The real, effective and saved uid.</summary>
    public static long SetUids(uint uid) => Kernel.Call(SyscallNumber.Setresuid, (nint)uid, (nint)uid, (nint)uid);

    /// <summary>The real, effective and saved gid; not the supplementary groups.</summary>
    public static long SetGids(uint gid) => Kernel.Call(SyscallNumber.Setresgid, (nint)gid, (nint)gid, (nint)gid);

    public static long SetSupplementaryGroups(uint* groups, int count) => Kernel.Call(SyscallNumber.Setgroups, count, (nint)groups);

    public static long SetCapabilities(ulong effective, ulong permitted, ulong inheritable)
    {
        CapabilityHeader header = new() { Version = CapabilityVersion3 };
        CapabilityData data = new()
        {
            Effective0 = (uint)effective,
            Effective1 = (uint)(effective >> 32),
            Permitted0 = (uint)permitted,
            Permitted1 = (uint)(permitted >> 32),
            Inheritable0 = (uint)inheritable,
            Inheritable1 = (uint)(inheritable >> 32),
        };
        return Kernel.Call(SyscallNumber.Capset, (nint)(&header), (nint)(&data));
    }

    /// <summary>The calling thread's permitted capabilities, bit n for capability n.</summary>
    public static long GetPermitted(out ulong permitted)
    {
        CapabilityHeader header = new() { Version = CapabilityVersion3 };
        CapabilityData data = default;
        long result = Kernel.Call(SyscallNumber.Capget, (nint)(&header), (nint)(&data));
        permitted = data.Permitted0 | ((ulong)data.Permitted1 << 32);
        return result;
    }

    /// <summary>Joins (or makes) the named session keyring; returns its serial.</summary>
    public static long JoinSessionKeyring(byte* name) => Kernel.Call(SyscallNumber.Keyctl, KEYCTL_JOIN_SESSION_KEYRING, (nint)name);

    public static long DescribeKey(int key, byte* buffer, int size) =>
        Kernel.Call(SyscallNumber.Keyctl, KEYCTL_DESCRIBE, key, (nint)buffer, size);

    public static long SetKeyPermissions(int key, uint permissions) =>
        Kernel.Call(SyscallNumber.Keyctl, KEYCTL_SETPERM, key, (nint)permissions);
}
