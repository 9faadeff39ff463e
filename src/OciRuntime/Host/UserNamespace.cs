using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Whether this process is in the initial user namespace.</summary>
internal static class UserNamespace
{
    // PROC_USER_INIT_INO (include/linux/proc_ns.h): fixed for the initial namespace, and part of the ABI by use.
    private const ulong InitialInode = 0xEFFFFFFD;

    /// <summary>True in any user namespace but the initial one.</summary>
    public static bool IsNested() => Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx stat) < 0 || stat.Inode != InitialInode;

    /// <summary>Whether setgroups(2) was given up in it, for good.</summary>
    public static bool DeniesSetgroups() => Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/setgroups", 16, out _) is { } word && word.AsSpan().StartsWith("deny"u8);

    /// <summary>What on this machine keeps users without privilege from using user namespaces, as the end of an error message; "" when nothing is known to.</summary>
    public static string Obstacle()
    {
        foreach ((string name, byte value) in (ReadOnlySpan<(string, byte)>)
            [("kernel/unprivileged_userns_clone", (byte)'0'), ("user/max_user_namespaces", (byte)'0'), ("kernel/apparmor_restrict_unprivileged_userns", (byte)'1')])
        {
            byte[]? setting = Files.ReadFileAt(Files.AT_FDCWD, "/proc/sys/" + name, 32, out _);
            if (setting is [var first, (byte)'\n'] && first == value) return $": this machine restricts user namespaces: {name.Replace('/', '.')} is {(char)value}";
        }
        return "";
    }
}
