using System.Buffers;
using System.Text.Json;
using OciRuntime.Cli;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// <c>ocirun features</c>: the features document of the runtime specification. It tells what this build can do, not what this host can;
/// clients refuse configurations by it, so a feature is listed once it works.
/// </summary>
internal static class FeaturesCommand
{
    private static readonly string[] HookKinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

    /// <summary>Words that a mount's options may hold and that mean something to the runtime rather than to the file system; sorted.</summary>
    internal static readonly string[] MountOptions =
    [
        "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud", "mand", "noatime",
        "nodev", "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow",
        "private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev", "rnodiratime", "rnoexec",
        "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave",
        "rstrictatime", "rsuid", "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync",
        "tmpcopyup", "unbindable",
    ];

    private static readonly string[] Namespaces = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"];

    /// <summary>In the order of their numbers (capabilities(7)).</summary>
    private static readonly string[] Capabilities =
    [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID", "CAP_SETUID", "CAP_SETPCAP",
        "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER",
        "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT", "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE",
        "CAP_SYS_RESOURCE", "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL", "CAP_SETFCAP",
        "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND", "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF",
        "CAP_CHECKPOINT_RESTORE",
    ];

    /// <summary>Annotations that make the runtime do more than the configuration's sections say.</summary>
    private static readonly string[] UnsafeAnnotations = [];

    public static int Run(GlobalOptions _, FeaturesOptions __)
    {
        Output.Write(Document());
        return ExitCodes.Success;
    }

    internal static ReadOnlySpan<byte> Document()
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using (Utf8JsonWriter w = new(buffer, ContainerState.Compact with { Indented = true, IndentSize = 4 })) // As wide as runc's.
        {
            w.WriteStartObject();
            w.WriteString("ociVersionMin"u8, "1.0.0"u8);
            w.WriteString("ociVersionMax"u8, "1.3.0"u8);
            WriteStrings(w, "hooks"u8, HookKinds);
            WriteStrings(w, "mountOptions"u8, MountOptions);
            WriteLinux(w);
            w.WriteStartObject("annotations"u8);
            // containerd looks for this name whatever the runtime is called; crun sets it too.
            w.WriteString("org.opencontainers.runc.checkpoint.enabled"u8, "false"u8);
            w.WriteEndObject();
            WriteStrings(w, "potentiallyUnsafeConfigAnnotations"u8, UnsafeAnnotations);
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void WriteLinux(Utf8JsonWriter w)
    {
        w.WriteStartObject("linux"u8);
        WriteStrings(w, "namespaces"u8, Namespaces);
        WriteStrings(w, "capabilities"u8, Capabilities);
        w.WriteStartObject("cgroup"u8);
        w.WriteBoolean("v1"u8, true);
        w.WriteBoolean("v2"u8, true);
        w.WriteBoolean("systemd"u8, false);
        w.WriteBoolean("systemdUser"u8, false);
        w.WriteBoolean("rdma"u8, true);
        w.WriteEndObject();
        WriteEnabled(w, "seccomp"u8, false);
        WriteEnabled(w, "apparmor"u8, false);
        WriteEnabled(w, "selinux"u8, false);
        WriteEnabled(w, "intelRdt"u8, false);
        w.WriteStartObject("mountExtensions"u8);
        WriteEnabled(w, "idmap"u8, false);
        w.WriteEndObject();
        WriteEnabled(w, "netDevices"u8, false);
        w.WriteEndObject();
    }

    private static void WriteEnabled(Utf8JsonWriter w, ReadOnlySpan<byte> name, bool enabled)
    {
        w.WriteStartObject(name);
        w.WriteBoolean("enabled"u8, enabled);
        w.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter w, ReadOnlySpan<byte> name, string[] items)
    {
        w.WriteStartArray(name);
        foreach (string item in items) w.WriteStringValue(item);
        w.WriteEndArray();
    }
}
