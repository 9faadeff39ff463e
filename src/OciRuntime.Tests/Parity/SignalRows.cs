using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// What `kill` takes for a signal. The first process of a pid namespace ignores what it has no handler for, so nothing dies before its
/// time.
/// </summary>
internal static class SignalRows
{
    private const string Synonyms = "signal(7) has more names than runc knows";

    private static readonly string[] Known = ["0", "10", "USR1", "usr1", "SIGUSR1", "sigusr1", "SigUsr1", "WINCH", "34", "64"];

    private static readonly string[] KnownToCrun = ["IOT", "POLL", "CLD", "RTMIN+1", "SIGRTMAX-2"];

    // The last one ends crun's container.
    private static readonly string[] Unknown = ["NOPE", "SIGNOPE", "1.5", "9x"];

    public static readonly Scenario[] Scenarios =
    [
        new("signals",
        [
            new("run", "run -d --bundle {bundle} {id}"),
            .. Known.Select(static signal => new Row($"known: {signal}", $"kill {{id}} {signal}")),
            .. KnownToCrun.Select(static signal =>
                new Row($"known to crun: {signal}", $"kill {{id}} {signal}") { Relation = SameAsCrun(Synonyms) }),
            new("beyond the last", "kill {id} 999"),
            new("negative", "kill {id} -1") { Compared = Compared.Mistake },
            new("empty", "kill {id} ''"),
            new("by default TERM", "kill {id}"),
            new("to all", "kill --all {id} USR2"),
            new("-a", "kill -a {id} 12"),
            new("KILL", "kill {id} KILL") { Compared = Compared.Exit | Compared.Stderr },
            new("it is dead", "state {id}") { Before = static s => s.WaitStopped() },
        ]),
        new("unknown signals",
        [
            new("run", "run -d --bundle {bundle} {id}"),
            .. Unknown.Select(static signal =>
                new Row($"unknown: {signal}", $"kill {{id}} {signal}") { Says = ["unknown signal"], Relation = SameAsRunc }),
        ]),
    ];
}
