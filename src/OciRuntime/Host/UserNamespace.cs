using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Whether this process is in the initial user namespace.</summary>
internal static class UserNamespace
{
    // PROC_USER_INIT_INO (include/linux/proc_ns.h): fixed for the initial namespace, and part of the ABI by use.
    private const ulong InitialInode = 0xEFFFFFFD;

    /// <summary>True in any user namespace but the initial one.</summary>
    public static bool IsNested()
    {
        long result = Files.StatAt(Files.AT_FDCWD, "/proc/self/ns/user", 0, out Statx stat);
        // A kernel without them, or no /proc: nothing is tried that takes the initial one.
        if (result == -Errno.ENOENT) return true;
        OciException.Check(result, "look at the runtime's user namespace");
        return stat.Inode != InitialInode;
    }

    /// <summary>
    /// Whether a uid is one of this user namespace's: nobody else can make another one in it (user_namespaces(7), EPERM of clone(2)). True
    /// where there is no map to read.
    /// </summary>
    public static bool Maps(uint uid)
    {
        const int MaxMap = 1 << 16;
        if (Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/uid_map", MaxMap, out _) is not { } map) return true;
        foreach (string line in Encoding.ASCII.GetString(map).Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 3 && uid - (ulong)uint.Parse(fields[0]) < uint.Parse(fields[2])) return true;
        }
        return false;
    }

    /// <summary>Whether setgroups(2) was given up, for good, in that of the process whose file "setgroups" this is.</summary>
    public static bool DeniesSetgroups(string file, int directory = Files.AT_FDCWD) =>
        Files.ReadFileAt(directory, file, 16, out _) is { } word && word.AsSpan().StartsWith("deny"u8);

    /// <summary>
    /// What on this machine keeps users without privilege from using user namespaces, as the end of an error message; "" when nothing is
    /// known to.
    /// </summary>
    public static string Obstacle()
    {
        string forbidden = Setting("kernel/unprivileged_userns_clone", '0');
        if (forbidden.Length == 0) forbidden = Setting("user/max_user_namespaces", '0');
        if (forbidden.Length > 0) return forbidden;
        // Since Linux 6.7 a profile decides on them, and on what their root may do; it ends in its mode. Ubuntu's sysctl is for what none
        // confines.
        byte[]? profile = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/attr/apparmor/current", 4096, out _);
        if (profile.AsSpan().EndsWith(" (enforce)\n"u8))
            return $": AppArmor confines this program: {Encoding.UTF8.GetString(profile.AsSpan()[..^1])}";
        return profile is null || profile.AsSpan().SequenceEqual("unconfined\n"u8)
            ? Setting("kernel/apparmor_restrict_unprivileged_userns", '1') : "";
    }

    private static string Setting(string name, char forbidding) =>
        Files.ReadFileAt(Files.AT_FDCWD, "/proc/sys/" + name, 32, out _) is [var value, (byte)'\n'] && value == forbidding
            ? $": this machine restricts user namespaces: {name.Replace('/', '.')} is {forbidding}" : "";
}
