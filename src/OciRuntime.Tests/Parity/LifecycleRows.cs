using OciRuntime.Tests.Support;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>Each command in each state of a container.</summary>
internal static class LifecycleRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("a missing container",
            new("start", "start {id}") { Says = ["does not exist"] },
            new("state", "state {id}") { Says = ["does not exist"] },
            new("kill", "kill {id} 9") { Says = ["does not exist"] },
            new("kill with an unknown signal", "kill {id} NOPE") { Says = ["does not exist"] },
            new("kill --all", "kill --all {id} 9") { Says = ["does not exist"] },
            new("delete", "delete {id}") { Says = ["does not exist"] },
            new("delete --force", "delete --force {id}"),
            new("exec", "exec {id} true") { Says = ["does not exist"], Relation = SameAsRunc },
            new("pause", "pause {id}") { Says = ["does not exist"] },
            new("resume", "resume {id}") { Says = ["does not exist"] },
            new("ps", "ps {id}") { Says = ["does not exist"], Relation = SameAsRunc },
            new("update", "update --pids-limit 5 {id}") { Says = ["does not exist"] },
            new("events", "events --stats {id}") { Says = ["does not exist"] }),
        new("a created container",
            new("create", "create --bundle {bundle} {id}"),
            new("create again", "create --bundle {bundle} {id}") { Says = ["already exists"] },
            new("run under its name", "run --bundle {bundle} {id}") { Says = ["already exists"] },
            new("state", "state {id}"),
            new("list", "list -f json"),
            new("ps", "ps -f json {id}") { Shape = Shape.Json },
            new("resume", "resume {id}") { Says = ["container not paused"], Relation = SameAsRunc },
            new("signal 0", "kill {id} 0"),
            new("exec", "exec {id} echo x") { Shape = Shape.Exact },
            new("update", "update --pids-limit 50 {id}") { Effect = PidsLimit },
            new("delete without force", "delete {id}"),
            new("state of the deleted", "state {id}") { Says = ["does not exist"] },
            new("create anew", "create --bundle {bundle} {id}"),
            new("kill before it is started", "kill {id} KILL") { Compared = Compared.Exit },
            new("it has stopped", "state {id}") { Before = static s => s.WaitStopped() },
            new("start it then", "start {id}") { Says = ["cannot start a container that has stopped"] },
            new("delete --force", "delete --force {id}")),
        new("a running container",
            new("create", "create --bundle {bundle} {id}"),
            new("start", "start {id}"),
            new("start again", "start {id}") { Says = ["cannot start an already running container"] },
            new("state", "state {id}"),
            new("resume", "resume {id}") { Says = ["container not paused"], Relation = SameAsRunc },
            new("delete without force", "delete {id}") { Says = ["that is not stopped: running"] },
            new("create again", "create --bundle {bundle} {id}") { Says = ["already exists"] },
            new("delete --force", "delete --force {id}"),
            new("delete --force again", "delete --force {id}")),
        new("a paused container",
            new("run", "run -d --bundle {bundle} {id}"),
            new("pause", "pause {id}"),
            new("pause again", "pause {id}") { Relation = SameAsRunc },
            new("state", "state {id}"),
            new("ps", "ps -f json {id}") { Shape = Shape.Json },
            new("start", "start {id}"),
            new("exec", "exec {id} true")
            {
                Says = ["cannot exec in a paused container (use --ignore-paused to override)"], Relation = SameAsRunc
            },
            new("update", "update --pids-limit 50 {id}") { Effect = PidsLimit },
            new("delete without force", "delete {id}"),
            new("resume", "resume {id}"),
            new("resume again", "resume {id}") { Says = ["container not paused"], Relation = SameAsRunc },
            new("pause once more", "pause {id}"),
            new("delete --force", "delete --force {id}")),
        new("a container killed while it is paused",
            new("run", "run -d --bundle {bundle} {id}"),
            new("pause", "pause {id}"),
            new("kill", "kill {id} KILL") { Compared = Compared.Exit | Compared.Stderr, Effect = Ends, Relation = SameAsRunc },
            new("delete --force", "delete --force {id}")),
        new("a stopped container",
            new("create", "create --bundle {bundle} {id}"),
            new("start", "start {id}") { Compared = Compared.Exit | Compared.Stderr },
            new("state", "state {id}")
            {
                Before = static s => s.WaitStopped(), Effect = static s => s.Call("state", "{id}").Json["pid"]!.ToJsonString()
            },
            new("start again", "start {id}") { Says = ["cannot start a container that has stopped"] },
            new("kill", "kill {id} TERM") { Says = ["container not running"] },
            new("kill with KILL", "kill {id} KILL") { Says = ["container not running"] },
            new("kill --all", "kill --all {id} 15"),
            new("exec", "exec {id} true") { Says = ["stopped container"], Relation = SameAsRunc },
            new("pause", "pause {id}") { Says = ["container not running"] },
            new("resume", "resume {id}"),
            new("ps", "ps -f json {id}") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("ps as a table", "ps {id}") { Shape = Shape.Lines, Relation = SameAsRunc },
            new("update", "update --pids-limit 50 {id}") { Says = ["container not running"], Relation = SameAsRunc },
            new("events", "events --stats {id}") { Says = ["container with id", "is not running"] },
            new("list", "list") { Shape = Shape.Lines },
            new("delete", "delete {id}"),
            new("delete again", "delete {id}") { Says = ["does not exist"] }) { Bundle = static b => b.Args("true") },
        new("by pattern",
            new("create", "create --bundle {bundle} {id}"),
            new("kill --regex", "kill --regex ^{id}$ 0") { Relation = SameAsCrun(Pattern) },
            new("kill --regex of none", "kill --regex ^nothing$ KILL") { Relation = SameAsCrun(Pattern) },
            new("kill", "kill {id} KILL") { Compared = Compared.Exit },
            new("delete --regex", "delete --regex ^{id}$") { Before = static s => s.WaitStopped(), Relation = SameAsCrun(Pattern) },
            new("bad pattern", "delete --regex [") { Compared = Compared.Exit | Compared.Stderr, Relation = SameAsRunc }),
    ];

    private const string Pattern = "a flag of crun's; the ID is a regular expression then";

    private static string Ends(Subject s) =>
        $"{Eventually.Becomes(() => s.Call("state", "{id}").Json["status"]!.ToString() == "stopped", TimeSpan.FromSeconds(2))}";

    private static string PidsLimit(Subject s) => s.ReadCgroup("pids", "pids.max");
}
