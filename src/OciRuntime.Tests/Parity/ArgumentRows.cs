using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>How a command line is written.</summary>
internal static class ArgumentRows
{
    private const string Getopt = "getopt's spelling, which crun's users know, is understood beside Go's";

    public static readonly Scenario[] Scenarios =
    [
        new("arguments",
            new("create", "create --bundle {bundle} {id}"),
            new("two dashes and an equals sign", "--root={root} state {id}") { OwnRoot = true },
            new("one dash and an equals sign", "-root={root} state {id}") { OwnRoot = true, Relation = SameAsRunc },
            new("one dash and a blank", "-root {root} state {id}") { OwnRoot = true, Relation = SameAsRunc },
            new("one dash on a command's flag", "list -format json") { Shape = Shape.Json, Relation = SameAsRunc },
            new("short flag with a blank", "list -f json"),
            new("short flag with an equals sign", "list -f=json") { Relation = SameAsRunc },
            new("long flag with an equals sign", "list --format=json"),
            new("switch that is true", "list --quiet=true") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("switch that is false", "list --quiet=false") { Shape = Shape.Header, Relation = SameAsRunc },
            new("switch that is neither", "list --quiet=maybe") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("bundled switches", "kill -ar ^none$ 0") { Relation = SameAsCrun(Getopt) },
            new("bundled switch and value", "run -db {bundle} {id}-2") { Relation = SameAsCrun(Getopt) },
            new("flags after the id", "delete {id}-2 --force") { Relation = SameAsRunc },
            new("a switch after the id", "run --bundle {bundle} {id}-2 --detach") { Relation = SameAsRunc },
            new("a flag with its value after the id", "update {id} --pids-limit 77") { Relation = SameAsRunc },
            new("two dashes before the id", "state -- {id}"),
            new("two dashes before a flag", "state -- --help") { Compared = Compared.Mistake },
            new("two dashes before the command", "-- state {id}"),
            new("last of two values", "list --format json --format table") { Shape = static text => text.Contains('{') ? "JSON" : "table" },
            new("flag without its value", "list --format") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("empty value",
            "list --format=")
            {
                Compared = Compared.Mistake,
                Relation = Differs("an empty value is a variable that was not set: as if the option were not there")
            },
            new("three dashes", "list ---quiet") { Compared = Compared.Mistake, Relation = SameAsRunc })
        { Bundle = static b => b.Linux.Remove("cgroupsPath") },
        new("arguments of exec and ps",
            new("run", "run --detach --bundle {bundle} {id}"),
            new("exec leaves flags after the id to the program", "exec {id} echo --cwd -e") { Shape = Shape.Exact },
            new("exec leaves two dashes to the program", "exec {id} echo -- x") { Shape = Shape.Exact },
            new("exec with two dashes before the id", "exec -- {id} echo x") { Shape = Shape.Exact },
            new("exec with bundled flags", "exec -du 5 {id} true") { Relation = SameAsCrun(Getopt) },
            new("ps leaves flags after the id to ps", "ps {id} -o pid,comm") { Shape = Shape.Header, Relation = SameAsRunc }),
        new("mistakes",
            new("no command", "") { Compared = Compared.Exit, Relation = SameAsRunc },
            new("unknown command",
            "nope")
            {
                Compared = Compared.Exit, Relation = SameAsCrun("every mistake on the command line is exit code 1; runc has 3 for this one")
            },
            new("unknown global flag", "--nope list") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("unknown flag", "state --nope {id}") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("another command's flag", "state --bundle {bundle} {id}") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("global flag after the command", "list --root {root}") { Compared = Compared.Mistake, Relation = SameAsRunc },
            new("create without an id", "create") { Compared = Compared.Mistake, Says = ["requires exactly 1 argument"] },
            new("create with two", "create --bundle {bundle} {id} y") { Compared = Compared.Mistake },
            new("run without an id", "run") { Compared = Compared.Mistake },
            new("start without an id", "start") { Compared = Compared.Mistake },
            new("start with two", "start {id} y") { Compared = Compared.Mistake },
            new("state without an id", "state") { Compared = Compared.Mistake },
            new("state with two", "state {id} y") { Compared = Compared.Mistake },
            new("kill without an id", "kill") { Compared = Compared.Mistake },
            new("kill with three", "kill {id} 9 9") { Compared = Compared.Mistake },
            new("delete without an id", "delete") { Compared = Compared.Mistake },
            new("delete with two", "delete {id} y") { Compared = Compared.Mistake },
            new("pause without an id", "pause") { Compared = Compared.Mistake },
            new("resume without an id", "resume") { Compared = Compared.Mistake },
            new("ps without an id", "ps") { Compared = Compared.Mistake },
            new("update without an id", "update") { Compared = Compared.Mistake },
            new("events without an id", "events") { Compared = Compared.Mistake },
            new("exec without an id", "exec") { Compared = Compared.Mistake },
            new("list with one", "list x") { Compared = Compared.Mistake },
            new("features with one", "features x") { Compared = Compared.Mistake },
            new("spec with one", "spec x") { Compared = Compared.Mistake },
            new("what is on stdout then",
            "state")
            {
                Relation = SameAsCrun(
                    "after a mistake stdout stays empty, so that nothing takes the help for a result; the error says how to get the help")
            }),
        new("help",
            new("--help", "--help"),
            new("-h", "-h") { Relation = SameAsRunc },
            new("help", "help") { Relation = SameAsRunc },
            new("of a command", "state --help"),
            new("of a command by help", "help state") { Relation = SameAsRunc }),
    ];
}
