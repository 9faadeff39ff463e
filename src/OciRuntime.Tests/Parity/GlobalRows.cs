using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>The flags before the command, and what they make of errors.</summary>
internal static partial class GlobalRows
{
    private const string FlagOfCrun = "a flag of crun's, which podman sends";

    public static readonly Scenario[] Scenarios =
    [
        new("log",
            new("without a log", "state missing") { Says = ["time=\"", "level=error msg=\"", "does not exist"] },
            new("json record on stderr", "--log-format json state missing") { Says = ["\"level\":\"error\"", "\"msg\":\""] },
            new("json record in a file", "--log {dir}/json --log-format json state missing")
            {
                Effect = static s => JsonKeys(s.Scratch("json"))
            },
            new("text record in a file", "--log {dir}/text state missing")
            {
                Effect = static s => Text(s.Scratch("text")), Relation = SameAsRunc
            },
            new("a second record is appended",
            "--log {dir}/text state missing") { Effect = static s => Shape.Lines(File.ReadAllText(s.Scratch("text"))) },
            new("the bare message is on stderr",
            "--log {dir}/text --log-format text state missing") { Effect = static s => "", Says = ["does not exist\n"] },
            new("log of a success", "--log {dir}/empty list")
            {
                Effect = static s => File.Exists(s.Scratch("empty")) ? File.ReadAllText(s.Scratch("empty")) : "none",
            },
            new("a mistake on the command line",
            "--log {dir}/mistake --log-format json state")
            {
                Relation = SameAsRunc, Compared = Compared.Mistake, Effect = static s => JsonKeys(s.Scratch("mistake"))
            },
            new("a record with --debug",
            "--debug --log {dir}/debug --log-format json state missing")
            {
                Relation = SameAsCrun("a record does not name the place in the source that wrote it; the message is to say what is wrong"),
                Effect = static s => JsonKeys(s.Scratch("debug"))
            },
            new("mode of the log", "--log {dir}/mode state missing")
            {
                Effect = static s => File.GetUnixFileMode(s.Scratch("mode")).ToString()
            },
            new("log that cannot be opened", "--log {dir}/no/log list"),
            new("log with a scheme", "--log file:{dir}/scheme state missing")
            {
                Effect = static s => $"{File.Exists(s.Scratch("scheme"))}", Relation = SameAsCrun(FlagOfCrun)
            },
            new("unknown log format", "--log-format xml list") { Compared = Compared.Mistake },
            new("debug", "--debug state missing") { Says = ["does not exist"] },
            new("log level",
            "--log-level debug list") { Relation = Differs("a flag of newer cruns and of youki"), Compared = Compared.Mistake },
            new("unknown log level", "--log-level loud list") { Compared = Compared.Mistake, Relation = SameAsRunc }),
        new("state directory",
            new("relative", "--root here list -q") { OwnRoot = true, Before = static s => Directory.CreateDirectory(s.Scratch("here")) },
            new("missing",
            "--root {dir}/missing list")
            {
                OwnRoot = true,
                Relation = Differs("as newer runcs: a directory that was named and is not there is a mistake, not an empty list")
            },
            new("missing, and one container", "--root {dir}/missing state x") { OwnRoot = true, Says = ["does not exist"] },
            new("that of the machine",
            "--root / list")
            {
                OwnRoot = true, Relation = Differs("as newer runcs: deleting by force below / would be the end of the machine")
            },
            new("empty",
            "--root= list")
            {
                OwnRoot = true,
                Relation = SameAsCrun("an empty path is a variable that was not set; it does not mean the current directory")
            },
            new("made by create", "--root {dir}/new create --bundle {bundle} {id}")
            {
                OwnRoot = true, Effect = static s =>
                    $"{Directory.Exists(s.Scratch("new/" + s.Id))} {File.GetUnixFileMode(s.Scratch("new"))}"
            },
            new("mode of a container's",
            "--root {dir}/new state {id}")
            {
                OwnRoot = true,
                Relation = SameAsCrun(
                    "nobody but its owner has anything to do in a container's state directory, so its mode is 0700 and not 0711"),
                    Effect = static s => File.GetUnixFileMode(s.Scratch("new/" + s.Id)).ToString()
            },
            new("list", "--root {dir}/new list -q") { OwnRoot = true, Shape = Shape.Exact },
            new("delete", "--root {dir}/new delete --force {id}")
            {
                OwnRoot = true, Effect = static s => $"{Directory.Exists(s.Scratch("new/" + s.Id))}"
            }),
        new("other global flags",
            new("cgroup manager cgroupfs", "--cgroup-manager cgroupfs list") { Relation = SameAsCrun(FlagOfCrun) },
            new("cgroup manager disabled", "--cgroup-manager=disabled list") { Relation = SameAsCrun(FlagOfCrun) },
            new("unknown cgroup manager", "--cgroup-manager nope list") { Compared = Compared.Mistake },
            new("systemd cgroup switched off", "--systemd-cgroup=false list") { Relation = SameAsRunc },
            new("rootless auto", "--rootless auto list"),
            new("rootless true", "--rootless=true list"),
            new("rootless false", "--rootless=false list"),
            new("rootless with another value",
            "--rootless=perhaps list")
            {
                Compared = Compared.Mistake,
                Relation = Differs("a value that means nothing is refused, also where the command does not use it")
            },
            new("criu", "--criu /usr/sbin/criu list") { Relation = SameAsRunc },
            new("--version", "--version") { Shape = Version },
            new("-v", "-v") { Shape = Version },
            new("-version", "-version") { Shape = Version }),
    ];

    private static string JsonKeys(string file)
    {
        string text = File.ReadAllText(file);
        IEnumerable<string> keys = JsonNode.Parse(text)!.AsObject().Select(static pair => pair.Key).Order(StringComparer.Ordinal);
        return $"{Shape.Lines(text)}: {string.Join(' ', keys)}";
    }

    private static string Text(string file) => TextRecord().IsMatch(File.ReadAllText(file)) ? "a text record" : "something else";

    // What moby and go-runc look for.
    private static string Version(string text) =>
        string.Join('\n', text.Split('\n')
        .Where(static line => line.Contains("version ") || line.StartsWith("commit: ") || line.StartsWith("spec: "))
        .Select(static line => line[..(line.IndexOf(' ') + 1)]));

    [GeneratedRegex("^time=\"[-0-9T:.Z+]+\" level=error msg=\".+\"\n")]
    private static partial Regex TextRecord();
}
