using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// The text of a fresh config.json: what <c>runc spec</c> writes (tabs, no newline at the end), so that scripts that edit it with sed keep
/// working, with a newer version, our name, and no ambient capabilities: the program would hand them on to every file it executes.
/// </summary>
internal static class SpecTemplate
{
    private const string Capabilities = """["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]""";

    private const string Sysfs =
        """{ "destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"] }""";

    // Mounting sysfs takes a network namespace of one's own; the host's is shown instead.
    private const string HostSys =
        """{ "destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "nosuid", "noexec", "nodev", "ro"] }""";

    /// <param name="rootless">For a user without privileges: a user namespace, the host's network and /sys, no resources.</param>
    /// <param name="cgroup2">The host has cgroup v2 only: then a cgroup namespace is added, as runc does.</param>
    /// <param name="uid">Who becomes root in a rootless container.</param>
    /// <param name="gid">Its group.</param>
    public static ReadOnlySpan<byte> Build(bool rootless, bool cgroup2, uint uid, uint gid)
    {
        // Group 5 (tty) is not mapped for an ordinary user, and devpts refuses what is not mapped.
        string ttyGroup = rootless ? "" : ", \"gid=5\"";
        string cgroupNamespace = cgroup2 ? """, { "type": "cgroup" }""" : "";
        return JsonLayout.Lay($$"""
        {
          "ociVersion": "{{RuntimeSpec.NewestVersion}}",
          "process": {
            "terminal": true,
            "user": { "uid": 0, "gid": 0 },
            "args": ["sh"],
            "env": ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
            "cwd": "/",
            "capabilities": { "bounding": {{Capabilities}}, "effective": {{Capabilities}}, "permitted": {{Capabilities}} },
            "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 }],
            "noNewPrivileges": true
          },
          "root": { "path": "rootfs", "readonly": true },
          "hostname": "ocirun",
          "mounts": [
            { "destination": "/proc", "type": "proc", "source": "proc" },
            { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
              "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] },
            { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
              "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"{{ttyGroup}}] },
            { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
              "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"] },
            { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"] },
            {{(rootless ? HostSys : Sysfs)}},
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
              "options": ["nosuid", "noexec", "nodev", "relatime", "ro"] }
          ],
          "linux": {
            {{(rootless ? Rootless(uid, gid, cgroupNamespace) : Rootful(cgroupNamespace))}},
            "maskedPaths": [
              "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
              "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
            ],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
          }
        }
        """, ContainerState.Compact with { IndentCharacter = '\t', IndentSize = 1 });
    }

    private static string Rootful(string cgroupNamespace) => $$"""
        "resources": { "devices": [{ "allow": false, "access": "rwm" }] },
        "namespaces": [
          { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }{{cgroupNamespace}}
        ]
        """;

    private static string Rootless(uint uid, uint gid, string cgroupNamespace) => $$"""
        "uidMappings": [{ "containerID": 0, "hostID": {{uid}}, "size": 1 }],
        "gidMappings": [{ "containerID": 0, "hostID": {{gid}}, "size": 1 }],
        "namespaces": [
          { "type": "pid" }, { "type": "ipc" }, { "type": "uts" }, { "type": "mount" }{{cgroupNamespace}}, { "type": "user" }
        ]
        """;
}
