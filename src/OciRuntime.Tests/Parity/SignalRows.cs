using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>What `kill` takes for a signal. The first process of a pid namespace ignores what it has no handler for, so nothing dies before its time.</summary>
internal static class SignalRows
{
    private static readonly string[] Known = ["0", "10", "USR1", "usr1", "SIGUSR1", "sigusr1", "WINCH", "34", "64", "IOT", "POLL", "CLD"];

    private static readonly string[] Unknown = ["NOPE", "SIGNOPE", "999", "1.5", "9x", "SIG", "SIG9"];

    public static readonly Scenario[] Scenarios =
    [
        new("signals",
        [
            new("run", "run -d --bundle {bundle} {id}"),
            .. Known.Select(static signal => new Row($"known: {signal}", $"kill {{id}} {signal}") { Relation = Of(signal) }),
            .. Unknown.Select(static signal => new Row($"unknown: {signal}", $"kill {{id}} {signal}") { SaysAsRunc = ["unknown signal"] }),
            new("real time by name", "kill {id} RTMIN+1"),
            new("negative", "kill {id} -1") { Compared = Compared.Mistake },
            new("empty", "kill {id} ''"),
            new("by default TERM", "kill {id}"),
            new("to all", "kill --all {id} USR2"),
            new("-a", "kill -a {id} 12"),
            new("KILL", "kill {id} KILL"),
            new("it is dead", "state {id}") { Before = static s => s.WaitStopped() },
        ]),
    ];

    private static Relation Of(string signal) => SameAsBoth;
}
