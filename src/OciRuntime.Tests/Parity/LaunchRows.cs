using System.Text.Json.Nodes;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>create and run with each of their flags, good and bad, and exit codes.</summary>
internal static class LaunchRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("flags of create",
            new("from the current directory", "create {id}") { Launcher = ["sh", "-c", "cd {bundle}; exec \"$0\" \"$@\""] },
            new("delete", "delete {id}"),
            new("--pid-file", "create --bundle {bundle} --pid-file {dir}/pid {id}") { Effect = static s => PidFile(s, "pid") },
            new("delete again", "delete {id}"),
            new("-b and a relative pid file",
            "create -b {bundle} --pid-file pid2 {id}") { Relation = SameAsRunc, Effect = static s => PidFile(s, "pid2") },
            new("delete, once more", "delete {id}"),
            new("a root file system behind a link",
            "create {id}")
            {
                Before = CopyBundle,
                Relation = SameAsCrun("the root file system may be behind a link, which is followed once, before anything is made")
            },
            new("delete the one behind a link", "delete --force {id}"),
            new("--config",
            "create --bundle {bundle} --config {dir}/config.json {id}")
            {
                Relation = SameAsCrun("a flag of crun's, which reads another file than config.json")
            },
            new("delete what --config made", "delete --force {id}"),
            new("--no-pivot", "create --bundle {bundle} --no-pivot {id}"),
            new("delete what --no-pivot made", "delete {id}"),
            new("--no-new-keyring", "create --bundle {bundle} --no-new-keyring {id}"),
            new("delete what --no-new-keyring made", "delete {id}"),
            new("--no-subreaper",
            "create --bundle {bundle} --no-subreaper {id}") { Relation = SameAsCrun("a flag of crun's, where it does nothing") },
            new("delete what --no-subreaper made", "delete --force {id}"),
            new("--preserve-fds", "create --bundle {bundle} --preserve-fds 2 {id}") { Descriptors = 2 },
            new("delete what --preserve-fds made", "delete {id}"),
            new("--preserve-fds that are not there", "create --bundle {bundle} --preserve-fds 3 {id}") { Descriptors = 1 },
            new("delete what that made", "delete --force {id}"),
            new("--preserve-fds that is no number",
            "create --bundle {bundle} --preserve-fds many {id}") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("delete what crun made of it", "delete --force {id}"),
            new("--preserve-fds that is negative",
            "create --bundle {bundle} --preserve-fds=-1 {id}")
            {
                Compared = Compared.Mistake, Relation = Differs("there is no negative number of descriptors")
            },
            new("delete what others made of it", "delete --force {id}"),
            new("pid file that cannot be written", "create --bundle {bundle} --pid-file {dir}/no/pid {id}"),
            new("bundle that is not there", "create --bundle {dir}/nothing {id}") { Says = ["no such file or directory"] },
            new("bundle that is a file", "create --bundle {bundle}/config.json {id}") { Says = ["not a directory"] },
            new("bundle without a configuration", "create --bundle {bundle}/rootfs {id}") { Says = ["config.json"] },
            new("console socket without a terminal", "create --bundle {bundle} --console-socket {dir}/console {id}"),
            new("configuration that is no JSON", "create --bundle {dir}/broken {id}") { Before = static s => Write(s, "broken", "{") },
            new("configuration that is empty", "create --bundle {dir}/empty {id}") { Before = static s => Write(s, "empty", "") },
            new("configuration that is an empty object",
            "create --bundle {dir}/void {id}") { Before = static s => Write(s, "void", "{}") }),
        new("configurations",
            Variant("no arguments", static config => config["process"]!["args"] = new JsonArray()),
            Variant("no process", static config => config.Remove("process")),
            Variant("no root file system", static config => config["root"]!["path"] = "/nonexistent"),
            Variant("a file for a root file system", static config => config["root"]!["path"] = "/etc/passwd"),
            Variant("an unknown namespace",
            static config => config["linux"]!["namespaces"]!.AsArray().Add(new JsonObject { ["type"] = "nope" })),
            Variant("a namespace that is not there", static config => config["linux"]!["namespaces"]![1]!["path"] = "/nonexistent"),
            Variant("an unknown limit", static config => config["process"]!["rlimits"]![0]!["type"] = "RLIMIT_NOPE"),
            Variant("a variable without a value",
            static config => config["process"]!["env"]!.AsArray().Add("NOPE")) with { Relation = SameAsRunc },
            new("delete what crun made of that", "delete --force {id}"),
            Variant("a host name without a namespace for it", static config =>
            config["linux"]!["namespaces"] = new JsonArray(new JsonObject { ["type"] = "mount" }, new JsonObject { ["type"] = "pid" })),
            Variant("a wrong type", static config => config["process"]!["cwd"] = 5),
            Variant("a mount of an unknown file system", static config => config["mounts"]!.AsArray()
            .Add(new JsonObject { ["destination"] = "/mnt", ["type"] = "nopefs", ["source"] = "x" })),
            Variant("a relative working directory", static config => config["process"]!["cwd"] = "bin") with { Relation = SameAsRunc }),
        new("terminal",
            new("create without a console socket", "create --bundle {bundle} {id}") { Says = ["without setting console socket"] },
            new("run --detach without a console socket", "run --detach --bundle {bundle} {id}"),
            new("run with a console socket in the foreground", "run --console-socket {dir}/console --bundle {bundle} {id}"),
            new("console socket that is not there", "create --console-socket {dir}/console --bundle {bundle} {id}"),
            new("create with a console socket",
            "create --console-socket {socket} --bundle {bundle} {id}") { Effect = static s => s.Received() },
            new("start", "start {id}"),
            new("exec with a console socket",
            "exec --tty --detach --console-socket {socket} {id} sleep 1000") { Effect = static s => s.Received() },
            new("exec with one that is not there", "exec -t -d --console-socket {dir}/console {id} sleep 1000")
            {
                Compared = Compared.Stderr | Compared.Containers
            },
            new("delete", "delete --force {id}"),
            new("run --detach with a console socket",
            "run --detach --console-socket {socket} --bundle {bundle} {id}") { Effect = static s => s.Received() })
            {
                Bundle = static b => b.Terminal()
            },
        new("exit codes of run",
            new("its own", "run --bundle {bundle} {id}") { Shape = Shape.Exact },
            new("nothing is left", "state {id}"),
            new("--keep", "run --keep --bundle {bundle} {id}") { Relation = SameAsRunc },
            new("delete", "delete {id}") { Relation = SameAsRunc },
            new("--no-subreaper", "run --no-subreaper --bundle {bundle} {id}"))
            {
                Bundle = static b => b.Script("echo out; echo err >&2; exit 7")
            },
        new("exit code of run after a signal",
            new Row("128 and more", "run --bundle {bundle} {id}"))
            {
                Bundle = static b => b.RemoveNamespace("pid").Script("kill -TERM $$")
            },
        Program("a program that is not in PATH", "nonexistent", ["executable file not found in $PATH"]),
        Program("a program that is not there", "/nonexistent", ["no such file or directory"]),
        Program("a program that is a directory", "/etc", ["permission denied"]),
        Program("a program that is not executable", "/etc/data", ["permission denied"]),
        new("a mount that cannot be made",
            new Row("directory over a file", "create --bundle {bundle} {id}") { Says = ["not a directory"] })
            {
                Bundle = static b => b.WriteFile("/file", "").AddMount("/file", "bind", "/etc", "bind")
            },
        new("a missing source",
            new Row("of a bind mount", "create --bundle {bundle} {id}") { Says = ["no such file or directory"] })
            {
                Bundle = static b => b.AddMount("/mnt", "bind", "/nonexistent", "bind")
            },
        new("a failing hook",
            new Row("createRuntime", "create --bundle {bundle} {id}") { Relation = SameAsRunc })
            {
                Bundle = static b => b.AddHook("createRuntime", "/bin/false")
            },
        new("one cgroup for two",
            new("the first", "run -d --bundle {bundle} {id}"),
            new("the second",
            "run -d --bundle {bundle} {id}-2")
            {
                Relation = Differs("as newer runcs: what is frozen, limited or deleted with the one would hit the other; runc 1.1 warns")
            }),
        new("detached",
            new("run -d with a pid file", "run -d --pid-file {dir}/pid --bundle {bundle} {id}") { Effect = static s => PidFile(s, "pid") },
            new("kill", "kill {id} KILL") { Compared = Compared.Exit },
            new("it is kept", "state {id}") { Before = static s => s.WaitStopped() },
            new("delete", "delete {id}")),
    ];

    private static Scenario Program(string name, string program, string[] says) =>
        new(name,
            new("create", "create --bundle {bundle} {id}") { Says = says },
            new("run", "run --pid-file {dir}/pid --bundle {bundle} {id}")
            {
                Says = says,
                Effect = static s => $"{File.Exists(s.Scratch("pid"))}"
            })
        { Bundle = b => b.WriteFile("/etc/data", "").Args(program) };

    private static void CopyBundle(Subject s)
    {
        File.Copy(s.Bundle.ConfigPath, s.Scratch("config.json"));
        File.CreateSymbolicLink(s.Scratch("rootfs"), s.Bundle.Rootfs);
    }

    private static Row Variant(string name, Action<JsonObject> change) =>
        new(name, $"create --bundle {{dir}}/{name.Replace(' ', '-')} {{id}}")
        {
            Before = s =>
            {
                JsonObject config = s.Bundle.Config.DeepClone().AsObject();
                config["root"]!["path"] = s.Bundle.Rootfs;
                change(config);
                Write(s, name.Replace(' ', '-'), config.ToJsonString());
            },
        };

    private static void Write(Subject s, string directory, string config)
    {
        Directory.CreateDirectory(s.Scratch(directory));
        File.WriteAllText(s.Scratch(directory + "/config.json"), config);
    }

    private static string PidFile(Subject s, string name)
    {
        string pid = s.Call("state", "{id}").Json["pid"]!.ToJsonString();
        return File.ReadAllText(s.Scratch(name)) == pid ? "the pid alone" : "something else";
    }
}
