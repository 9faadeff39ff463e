using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>What mends what keeps a container from being launched; "" where nothing is known to.</summary>
internal static class Remedies
{
    /// <summary>What a path is wanted for tells what fails without it.</summary>
    public static string CostOf(string pointer) => Kind(pointer) switch
    {
        "poststart" => "start fails there",
        // Its failure is told, and stops nothing.
        "poststop" => "delete warns of it, and what the hook is for is not done",
        _ => "create fails there",
    };

    /// <summary>Of a path that is not what it should be.</summary>
    public static string OfPath(string pointer) => Kind(pointer) switch
    {
        "" when pointer.StartsWith("/linux/namespaces", StringComparison.Ordinal) =>
            "name a namespace of that kind (/proc/PID/ns/…, or what one is bound on), or leave the path out to make a new one",
        "" => "start whoever is to listen there first, or leave it out",
        _ => "install the hook's program with what it needs, or leave the hook out",
    };

    /// <summary>Of a step.</summary>
    public static string Of(Shortcoming one, HostFacts host, LaunchPreparation p)
    {
        if (one.Failure.Errno == Errno.ETIMEDOUT) return "bring back whoever serves that file system, or unmount it (umount --lazy)";
        if (one.Failure.Errno == Errno.EPERM && p.Plan.IdMaps is null && Capability(one) is >= 0 and var lacking && !host.Has(lacking))
        {
            return $"call it with {CapabilityNames.All[lacking]}, which this process does not have, or add a user namespace to "
                + "/linux/namespaces";
        }
        return (one.Step, one.Failure.Detail, one.Failure.Errno) switch
        {
            (MountBindStep, InitDetail.Source, Errno.ENOENT or Errno.ENOTDIR) => "make the source, or name another",
            (DeviceBindStep, InitDetail.Source, Errno.ENOENT) =>
                "name a device that the host has, or have root make the container, without a user namespace",
            (MountFilesystemStep step, InitDetail.FilesystemType, Errno.ENODEV) =>
                $"install the kernel's module for {step.Type}, or take a kernel that has it",
            (_, InitDetail.Option, _) => "take the option out, or correct it",
            (MountFilesystemStep, InitDetail.Superblock, Errno.EPERM) when p.Plan.IdMaps is not null =>
                "mount it on the host, and bind that: this kind is not for user namespaces",
            (MountFilesystemStep, InitDetail.Superblock, Errno.ENOENT or Errno.ENOTBLK) => "name a block device that is there",
            (_, InitDetail.Target or InitDetail.None, Errno.EROFS) =>
                "make it in the image, whose file system is read-only here, or have that writable for the launch",
            (BindRootfsStep, _, Errno.EACCES) =>
                "let the container's root user pass that directory and each one on the way to it (chmod o+x)",
            (_, InitDetail.Target or InitDetail.None, Errno.EACCES) => "make it in the image, or let the container's root user write there",
            (MakeDirectoryStep, _, Errno.ENOTDIR) => "name a directory",
            (_, InitDetail.TargetIsRoot or InitDetail.TargetIsSymlink or InitDetail.TargetInProc, _) => "name another destination",
            (_, InitDetail.Target or InitDetail.Attach or InitDetail.None, Errno.ENOTDIR) =>
                "name another destination, or have a directory in the image where a directory is needed, and a file where a file is",
            (SysctlStep, _, Errno.ENOENT) => "leave the setting out, or take a kernel that has it in such a namespace",
            (SysctlStep or TimeOffsetsStep or MemoryPolicyStep, _, Errno.EINVAL or Errno.ERANGE) => "give it another value",
            _ => "",
        };
    }

    /// <summary>Of what the kernel refuses a cgroup.</summary>
    public static string OfCgroup(OciException fault, CgroupPlan plan) => fault.Errno switch
    {
        Errno.EPERM or Errno.EACCES or Errno.EROFS when plan.Rootless =>
            plan.IsUnified ? "have cgroups delegated (systemd-run --user --scope -p Delegate=yes), or leave limits and cgroupsPath out"
            : "leave limits and cgroupsPath out, as cgroup v1 is not delegated to users",
        Errno.EROFS => "mount it writable",
        Errno.EPERM or Errno.EACCES => "",
        Errno.EBUSY => "name another cgroup, or wait until that one is empty",
        _ => "give it another value, or leave it out",
    };

    /// <summary>What a step takes that a user namespace of its own would give (user_namespaces(7)); -1 for nothing in particular.</summary>
    private static int Capability(Shortcoming one) => one.Step switch
    {
        null or UnshareStep => Credentials.CAP_SYS_ADMIN,
        LoopbackUpStep => Credentials.CAP_NET_ADMIN,
        BoundingSetStep => Credentials.CAP_SETPCAP,
        SetUserStep when one.Failure.Detail is InitDetail.Groups or InitDetail.Gid => Credentials.CAP_SETGID,
        SetUserStep when one.Failure.Detail == InitDetail.Uid => Credentials.CAP_SETUID,
        DeviceNodeStep => Credentials.CAP_MKNOD,
        _ => -1,
    };

    /// <summary>Of a hook's path, the kind of hooks.</summary>
    private static string Kind(string pointer) => pointer.Split('/') is [_, "hooks", var kind, ..] ? kind : "";
}
