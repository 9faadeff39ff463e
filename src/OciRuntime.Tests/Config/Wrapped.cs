using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>The runtime as somebody with other circumstances calls it: a script that sets them up and becomes it.</summary>
internal static class Wrapped
{
    /// <summary>In a mount namespace of its own whose mounts are all shared, as on a host with systemd.</summary>
    public static RuntimeBinary SharedMounts =>
        Script("shared", "exec unshare --mount --propagation private sh -c 'mount --make-rshared / && exec \"$@\"' --");

    /// <summary>Where there is nothing but cgroup v2: no v1 hierarchy is visible.</summary>
    public static RuntimeBinary PureV2 => Script("v2",
        "exec unshare --mount --propagation private sh -c 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "
        + "\"$@\"' --");

    /// <summary>Where there is nothing but cgroup v1.</summary>
    public static RuntimeBinary WithoutV2 =>
        Script("v1", "exec unshare --mount --propagation private sh -c 'umount /sys/fs/cgroup/unified && exec \"$@\"' --");

    /// <summary>
    /// As root of a user namespace with the same ids and as many as Podman gives an ordinary user: his own, and a range of 65536.
    /// </summary>
    public static RuntimeBinary UserNamespace => Script("userns", """
        exec sh -c '
            exec 3<&0
            unshare --user --mount sh -c "while [ \"\$(cat /proc/self/uid_map /proc/self/gid_map | wc -l)\" != 2 ]; do :; done; exec \"\$@\"" -- "$@" <&3 &
            while [ "$(readlink /proc/$!/ns/user)" = "$(readlink /proc/$$/ns/user)" ]; do :; done
            echo 0 0 65537 >/proc/$!/uid_map
            echo 0 0 65537 >/proc/$!/gid_map
            wait $!' --
        """);

    /// <summary>Where a part of /proc is covered, as in a container.</summary>
    public static RuntimeBinary MaskedProc =>
        Script("proc", "exec unshare --mount --propagation private sh -c 'mount -t tmpfs none /proc/bus && exec \"$@\"' --");

    /// <summary>Where /sys is read-only, as in a container.</summary>
    public static RuntimeBinary ReadOnlySysfs =>
        Script("sysfs", "exec unshare --mount --propagation private sh -c 'mount -o remount,bind,ro /sys && exec \"$@\"' --");

    /// <summary>With a host name and a network of its own, so that what a bug would do to the host is done to nobody.</summary>
    public static RuntimeBinary ExpendableHost => Script("expendable", "exec unshare --uts --net");

    /// <summary>Signals ignored and blocked, as nohup(1) and careless daemons leave them.</summary>
    public static RuntimeBinary DeafToSignals => Script("deaf", "exec env --ignore-signal --block-signal=USR1,USR2,ALRM,CHLD");

    /// <summary>On a kernel that calls AppArmor enabled, whether it has it or not.</summary>
    public static RuntimeBinary SeeminglyAppArmor => Script("apparmor",
        "exec unshare --mount --propagation private sh -c 'mount -t tmpfs tmpfs /sys/module && mkdir -p /sys/module/apparmor/parameters "
        + "&& echo Y > /sys/module/apparmor/parameters/enabled && exec \"$@\"' --");

    /// <summary>Pinned to the first CPU, as a shim can be.</summary>
    public static RuntimeBinary Pinned => Script("pinned", "exec taskset -c 0");

    /// <summary>With a personality that is inherited: ADDR_NO_RANDOMIZE.</summary>
    public static RuntimeBinary WithoutAddressRandomization => Script("norandom", "exec setarch -R");

    /// <summary>By somebody with supplementary groups.</summary>
    public static RuntimeBinary WithGroups => Script("groups", "exec setpriv --groups 10,20");

    /// <summary>The same, as root of a user namespace in which setgroups(2) was given up.</summary>
    public static RuntimeBinary WithGroupsThatStay => Script("setgroups", "exec setpriv --groups 10,20 unshare --user --map-root-user");

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
