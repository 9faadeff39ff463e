using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>The runtime as somebody with other circumstances calls it: a script that sets them up and becomes it.</summary>
internal static class Wrapped
{
    /// <summary>In a mount namespace of its own whose mounts are all shared, as on a host with systemd.</summary>
    public static RuntimeBinary SharedMounts => Script("shared", "exec unshare --mount --propagation private sh -c 'mount --make-rshared / && exec \"$@\"' --");

    /// <summary>Where there is nothing but cgroup v2: no v1 hierarchy is visible.</summary>
    public static RuntimeBinary PureV2 => Script("v2",
        "exec unshare --mount --propagation private sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$@\"' --");

    /// <summary>With a host name and a network of its own, so that what a bug would do to the host is done to nobody.</summary>
    public static RuntimeBinary ExpendableHost => Script("expendable", "exec unshare --uts --net");

    /// <summary>Signals ignored and blocked, as nohup(1) and careless daemons leave them.</summary>
    public static RuntimeBinary DeafToSignals => Script("deaf", "exec env --ignore-signal --block-signal=USR1,USR2,ALRM,CHLD");

    /// <summary>On a kernel that calls AppArmor enabled, whether it has it or not.</summary>
    public static RuntimeBinary SeeminglyAppArmor => Script("apparmor",
        "exec unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /sys/module && mkdir -p /sys/module/apparmor/parameters && echo Y > /sys/module/apparmor/parameters/enabled && exec \"$@\"' --");

    private static RuntimeBinary Script(string name, string command)
    {
        string path = Path.Combine(TestRun.Root, $"ocirun-{name}");
        if (!File.Exists(path))
        {
            File.WriteAllText(path, $"#!/bin/sh\n{command} {Ocirun.Binary.Path} \"$@\"\n");
            File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
        return new RuntimeBinary(path);
    }
}
