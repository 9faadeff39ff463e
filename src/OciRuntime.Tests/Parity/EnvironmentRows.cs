using OciRuntime.Tests.Support;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>Variables of the caller that the runtime heeds, and those it must not hand on.</summary>
internal static class EnvironmentRows
{
    // `exec` keeps the pid, so the runtime is the process that $$ names.
    private static readonly string[] Activated = ["/bin/sh", "-c", "LISTEN_PID=$$ exec \"$0\" \"$@\""];

    public static readonly Scenario[] Scenarios =
    [
        new("environment",
            new("the caller's does not reach the container",
            "run --bundle {bundle} {id}")
            {
                Env = { ["_OCI_SYNCPIPE"] = "7", ["_OCI_STARTPIPE"] = "8", ["_LIBCONTAINER_X"] = "9", ["SECRET"] = "1" }, Shape = Sorted
            },
            new("socket activation",
            "run --bundle {bundle} {id}")
            {
                Env = { ["LISTEN_FDS"] = "2" }, Descriptors = 2, Launcher = Activated, Shape = Sorted, Relation = SameAsRunc
            },
            new("socket activation of somebody else",
            "run --bundle {bundle} {id}")
            {
                Env = { ["LISTEN_FDS"] = "2", ["LISTEN_PID"] = "1" }, Descriptors = 2, Shape = Sorted, Relation = SameAsRunc
            },
            new("names of the activated sockets",
            "run --bundle {bundle} {id}")
            {
                Env = { ["LISTEN_FDS"] = "2", ["LISTEN_FDNAMES"] = "a:b" }, Descriptors = 2, Launcher = Activated, Shape = Sorted,
                Relation = SameAsRunc
            })
        { Bundle = static b => b.Script("env; for fd in 3 4 5 6; do readlink /proc/self/fd/$fd; done") },
        new("runtime directory",
            new("XDG_RUNTIME_DIR of root",
            "create --bundle {bundle} {id}")
            {
                OwnRoot = true, Env = { ["XDG_RUNTIME_DIR"] = "{dir}" },
                Effect = static s => $"{Directory.Exists(s.Scratch(s.Runtime.Name))}", Relation = SameAsRunc
            },
            new("delete", "delete --force {id}") { OwnRoot = true, Env = { ["XDG_RUNTIME_DIR"] = "{dir}" } },
            new("XDG_RUNTIME_DIR that is empty",
            "create --bundle {bundle} {id}")
            {
                OwnRoot = true, Env = { ["XDG_RUNTIME_DIR"] = "" },
                Effect = static s => $"{Directory.Exists($"/run/{s.Runtime.Name}/{s.Id}")}"
            },
            new("delete that", "delete --force {id}") { OwnRoot = true, Env = { ["XDG_RUNTIME_DIR"] = "" } }),
        new("readiness",
            new Row("NOTIFY_SOCKET",
            "create --bundle {bundle} {id}")
            {
                Env = { ["NOTIFY_SOCKET"] = "{dir}/notify" }, Effect = NotifySocket, Relation = SameAsRunc
            }),
    ];

    private static string Sorted(string text) =>
        string.Join('\n', text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));

    private static string NotifySocket(Subject s)
    {
        string mount = MountInfo.Of(s.InitPid).Any(static found => found.MountPoint == "/run/notify") ? "mounted" : "not mounted";
        return $"{mount} {Path.Exists($"/proc/{s.InitPid}/root/run/notify/notify.sock")}";
    }
}
