using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Which security modules of the kernel can take a label. Asked only when a configuration has one.</summary>
internal static class SecurityModules
{
    private const long SELINUX_MAGIC = 0xf97cff8c;

    /// <summary>
    /// AppArmor is on, by the parameter that libapparmor asks, too. securityfs is not looked at: inside a container it is mostly not mounted,
    /// and profiles can be taken all the same.
    /// </summary>
    public static bool AppArmor() => Files.ReadFileAt(Files.AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, out _) is [(byte)'Y', ..];

    /// <summary>SELinux is on and has a policy: without one, every process has the label "kernel". As for libselinux, a hidden selinuxfs means that it is off.</summary>
    public static bool Selinux() =>
        Files.StatFs("/sys/fs/selinux", out Statfs fs) >= 0 && fs.Type == SELINUX_MAGIC
        && Files.ReadFileAt(Files.AT_FDCWD, "/proc/thread-self/attr/current", 4096, out _) is { } label && !label.AsSpan().TrimEnd((byte)0).SequenceEqual("kernel"u8);
}
