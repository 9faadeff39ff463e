using NUnit.Framework;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Skips a test because the kernel or machine cannot do something, and names it. Missing tools are not skipped but failures:
/// `build.sh test` installs them.
/// </summary>
public static class Requires
{
    /// <summary>CAP_SYS_ADMIN: mounts, namespaces.</summary>
    internal const int CapSysAdmin = 21;

    /// <summary>A cgroup controller on v1 or v2.</summary>
    public static void Controller(string name) => Unless(CgroupHost.HasController(name), $"cgroup controller {name}");

    /// <summary>A controller on a v1 hierarchy.</summary>
    public static void V1Controller(string name) => Unless(CgroupHost.V1MountPoint(name) is not null, $"cgroup v1 controller {name}");

    /// <summary>A host with only cgroup v2.</summary>
    public static void CgroupV2() => Unless(CgroupHost.Mode == CgroupMode.V2, "pure cgroup v2");

    /// <summary>A capability the tests have themselves, by number as in linux/capability.h, and its name.</summary>
    public static void Capability(int number, string name) => Unless(HasCapability(number), name);

    /// <summary>Whether the tests have a capability.</summary>
    public static bool HasCapability(int number) =>
        (Convert.ToUInt64(new ProcessView(Environment.ProcessId).Status("CapEff"), 16) >> number & 1) == 1;

    /// <summary>CAP_SYS_RESOURCE: raising hard limits, lowering oom_score_adj.</summary>
    public static void CapSysResource() => Capability(24, "CAP_SYS_RESOURCE");

    /// <summary>A kernel release, with the feature it is needed for.</summary>
    public static void Kernel(int major, int minor, string feature)
    {
        string[] release = File.ReadAllText("/proc/sys/kernel/osrelease").Split('.', '-');
        Version version = new(int.Parse(release[0]), int.Parse(release[1]));
        Unless(version >= new Version(major, minor), $"{feature} (Linux {major}.{minor})");
    }

    /// <summary>A namespace type as in /proc/self/ns.</summary>
    public static void Namespace(string name) => Unless(File.Exists($"/proc/self/ns/{name}"), $"{name} namespace");

    /// <summary>User namespaces for those who are not root: distributions have switches against them.</summary>
    public static void UserNamespacesForAll()
    {
        Unless(ProcessTree.ReadOrEmpty("/proc/sys/user/max_user_namespaces").Trim() != "0",
            "user namespaces (user.max_user_namespaces is 0)");
        Unless(ProcessTree.ReadOrEmpty("/proc/sys/kernel/unprivileged_userns_clone").Trim() != "0",
            "user namespaces for all (kernel.unprivileged_userns_clone is 0)");
        Unless(ProcessTree.ReadOrEmpty("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").Trim() != "1",
            "user namespaces for all (kernel.apparmor_restrict_unprivileged_userns is 1)");
    }

    /// <summary>A file system type, as in /proc/filesystems.</summary>
    public static void FileSystem(string name) =>
        Unless(File.ReadAllLines("/proc/filesystems").Any(line => line.EndsWith($"\t{name}", StringComparison.Ordinal)),
        $"file system {name}");

    /// <summary>A file that exists when the kernel has the feature.</summary>
    public static void PathExists(string path, string feature) => Unless(Path.Exists(path), feature);

    /// <summary>An active security module, as in /sys/kernel/security/lsm.</summary>
    public static void SecurityModule(string name) =>
        Unless(ProcessTree.ReadOrEmpty("/sys/kernel/security/lsm").Split(',', '\n').Contains(name), $"security module {name}");

    /// <summary>Skips what only ocirun has when the suite runs against another runtime.</summary>
    public static void OcirunItself() => Unless(Ocirun.IsUnderTest, "ocirun itself (RT names another runtime)");

    /// <summary>Skips what another runtime, named by RT, cannot do; the reason is a fact about that runtime.</summary>
    public static void NotRuntime(string name, string reason) => Unless(Ocirun.Binary.Name != name, $"{name}: {reason}");

    /// <summary>
    /// A peer of the version that a test is about; another one may well behave otherwise. None at all is a failure, since build.sh installs
    /// it.
    /// </summary>
    public static void Version(RuntimeBinary? peer, string version)
    {
        string first =
            (peer ?? throw new FileNotFoundException("a peer is missing: run ./build.sh test, which installs runc and crun")).Run(
            "--version").Lines[0];
        Unless(first.Contains($" {version}", StringComparison.Ordinal), $"{peer.Name} {version} (there is {first})");
    }

    /// <summary>Fails when a program that build.sh installs is missing.</summary>
    public static string Tool(string name)
    {
        string[] directories = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        string? path = directories.Concat(["/usr/sbin", "/sbin"]).Select(directory => Path.Combine(directory, name))
            .FirstOrDefault(File.Exists);
        return path ?? throw new FileNotFoundException($"{name} is missing: run ./build.sh test, which installs it");
    }

    private static void Unless(bool available, string feature)
    {
        if (!available) Assert.Ignore($"missing: {feature}");
    }
}
