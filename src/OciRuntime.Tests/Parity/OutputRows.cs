using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>What programs read: documents and tables.</summary>
internal static class OutputRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("outputs",
            new("empty list as a table", "list") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("empty list as JSON", "list --format json") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("empty list of names", "list --quiet") { Shape = Shape.Exact },
            new("run", "run -d --bundle {bundle} {id}"),
            new("list", "list") { Shape = Shape.Table, Relation = SameAsRunc },
            new("list as JSON", "list --format json") { Shape = Shape.Json, Relation = SameAsRunc },
            new("list as JSON has what crun's has", "list --format json") { Shape = Shape.Json, MayHaveMore = true },
            new("list of names", "list -q") { Shape = Shape.Exact },
            new("list of names wins over JSON", "list -q -f json") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("list in another format", "list --format xml") { Compared = Compared.Mistake },
            new("state", "state {id}") { Shape = Shape.Json, Relation = SameAsRunc },
            new("ps", "ps {id}") { Shape = Shape.Header, Relation = SameAsRunc },
            new("ps lists", "ps {id}") { Shape = Shape.Lines },
            new("ps as a table", "ps --format table {id}") { Shape = Shape.Lines },
            new("ps as JSON", "ps --format json {id}") { Shape = Shape.Json },
            new("ps in another format", "ps --format xml {id}") { Compared = Compared.Mistake },
            new("ps with other columns", "ps {id} -o pid,args") { Shape = Shape.Header, Relation = SameAsRunc },
            new("ps without its PID column", "ps {id} -o comm") { Says = ["PID"] },
            new("events --stats", "events --stats {id}") { Shape = Shape.Json, MayHaveMore = true, Relation = SameAsRunc },
            new("events with an interval of nothing", "events --interval 0 {id}") { Says = ["duration interval must be greater than 0"] },
            new("events with an interval that is none", "events --interval soon {id}") { Compared = Compared.Mistake })
        { Bundle = static b => b.Annotations["org.example"] = "x" },
        new("documents",
            new("spec", "spec")
            {
                Effect = static s => Config(s, "config.json"),
                Relation = Differs(
                    "the specification's version is the newest, and as in newer runcs no capability is ambient, which every program would "
                    + "get whoever runs it")
            },
            new("spec in all else", "spec --bundle {dir}/else")
            {
                Before = static s => Directory.CreateDirectory(s.Scratch("else")),
                Effect = static s => Without(Config(s, "else/config.json"), ".ociVersion", ".process.capabilities"), MayHaveMore = true
            },
            new("spec does not overwrite", "spec") { Says = ["File config.json exists. Remove it first"] },
            new("spec --bundle", "spec --bundle {bundle}/rootfs")
            {
                Effect = static s => $"{File.Exists(s.Bundle.InRootfs("config.json"))}"
            },
            new("spec --bundle that is not there", "spec --bundle {dir}/none"),
            new("spec --file", "spec --file other.json")
            {
                Relation = SameAsCrun("a flag of crun's"), Effect = static s => $"{File.Exists(s.Scratch("other.json"))}"
            },
            new("spec --rootless", "spec --rootless -b {dir}/rootless")
            {
                Before = static s => Directory.CreateDirectory(s.Scratch("rootless")),
                Effect = static s => Without(Config(s, "rootless/config.json"), ".ociVersion", ".process.capabilities"), MayHaveMore = true,
                Relation = SameAsRunc
            },
            new("features",
            "features")
            {
                Shape = Shape.JsonValues, MayHaveMore = true,
                Relation = Differs(
                    "runc 1.1 has the filters of big-endian machines, which ocirun does not run on, and the mount options acl and noacl, "
                    + "which newer runcs leave to the file system, too")
            },
            new("keys of features", "features")
            {
                Shape = static text => Without(Shape.Json(text), ".annotations."), MayHaveMore = true, Relation = SameAsRunc
            }),
    ];

    private static string Config(Subject s, string file) => Shape.JsonValues(File.ReadAllText(s.Scratch(file)));

    private static string Without(string lines, params string[] keys) =>
        string.Join('\n', lines.Split('\n').Where(line => !keys.Any(key => line.StartsWith(key, StringComparison.Ordinal))));
}
