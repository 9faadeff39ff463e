using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>What programs read: documents and tables.</summary>
internal static class OutputRows
{
    public static readonly Scenario[] Scenarios =
    [
        new("outputs",
            new("empty list as a table", "list") { Shape = Shape.Exact },
            new("empty list as JSON", "list --format json") { Shape = Shape.Exact },
            new("empty list of names", "list --quiet") { Shape = Shape.Exact },
            new("run", "run -d --bundle {bundle} {id}"),
            new("list", "list") { Shape = Shape.Table },
            new("list as JSON", "list --format json") { Shape = Shape.Json },
            new("list of names", "list -q") { Shape = Shape.Exact },
            new("list of names wins over JSON", "list -q -f json") { Shape = Shape.Exact },
            new("list in another format", "list --format xml") { Compared = Compared.Mistake },
            new("state", "state {id}") { Shape = Shape.Json },
            new("ps", "ps {id}") { Shape = Shape.Header },
            new("ps lists", "ps {id}") { Shape = Shape.Lines },
            new("ps as a table", "ps --format table {id}") { Shape = Shape.Lines },
            new("ps as JSON", "ps --format json {id}") { Shape = Shape.Json },
            new("ps in another format", "ps --format xml {id}") { Compared = Compared.Mistake },
            new("ps with other columns", "ps {id} -o pid,args") { Shape = Shape.Header },
            new("ps without its PID column", "ps {id} -o comm") { SaysAsRunc = ["PID"] },
            new("events --stats", "events --stats {id}") { Shape = Shape.Json, MayHaveMore = true, Relation = SameAsRunc },
            new("events with an interval of nothing", "events --interval 0 {id}") { SaysAsRunc = ["duration interval must be greater than 0"] },
            new("events with an interval that is none", "events --interval soon {id}") { Compared = Compared.Mistake })
        { Bundle = static b => b.Annotations["org.example"] = "x" },
        new("documents",
            new("spec", "spec") { Effect = static s => Shape.JsonValues(File.ReadAllText(s.Scratch("config.json"))), MayHaveMore = true },
            new("spec does not overwrite", "spec") { SaysAsRunc = ["File config.json exists. Remove it first"] },
            new("spec --bundle", "spec --bundle {bundle}/rootfs") { Effect = static s => $"{File.Exists(s.Bundle.InRootfs("config.json"))}" },
            new("spec --bundle that is not there", "spec --bundle {dir}/none"),
            new("spec --file", "spec --file other.json") { Effect = static s => $"{File.Exists(s.Scratch("other.json"))}" },
            new("spec --rootless", "spec --rootless -b {dir}/rootless") { Before = static s => Directory.CreateDirectory(s.Scratch("rootless")), Effect = static s => Shape.JsonValues(File.ReadAllText(s.Scratch("rootless/config.json"))), MayHaveMore = true },
            new("features", "features") { Shape = Shape.JsonValues, MayHaveMore = true, Relation = SameAsRunc }),
    ];
}
