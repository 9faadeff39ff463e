using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Whether this process is in the initial user namespace.</summary>
internal static class UserNamespace
{
    // PROC_USER_INIT_INO (include/linux/proc_ns.h): fixed for the initial namespace, and part of the ABI by use.
    private const ulong InitialInode = 0xEFFFFFFD;

    /// <summary>True in any user namespace but the initial one.</summary>
    public static bool IsNested() => Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx stat) < 0 || stat.Inode != InitialInode;

    /// <summary>True where /proc/self/setgroups says "deny".</summary>
    public static bool DeniesSetgroups() => Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/setgroups", 16, out _) is [(byte)'d', ..];
}
