using OciRuntime.Tests.Support;
using static OciRuntime.Tests.Parity.Relation;

namespace OciRuntime.Tests.Parity;

/// <summary>exec with each of its flags.</summary>
internal static class ExecRows
{
    private const string Process = "\"cwd\":\"/bin\",\"user\":{\"uid\":0,\"gid\":0},\"env\":[\"PATH=/bin\",\"A=1\"]";

    public static readonly Scenario[] Scenarios =
    [
        new("exec",
            new("run", "run -d --bundle {bundle} {id}"),
            new("output", "exec {id} sh -c 'echo out; echo err >&2'") { Shape = Shape.Exact },
            new("stdin", "exec {id} cat") { Stdin = "in\n", Shape = Shape.Exact },
            new("exit code", "exec {id} sh -c 'exit 7'"),
            new("killed", "exec {id} sh -c 'kill -KILL $$'"),
            new("terminated", "exec {id} sh -c 'kill -TERM $$'"),
            new("without a program", "exec {id}") { Relation = SameAsRunc },
            new("program that is not in PATH", "exec {id} nonexistent") { Says = ["executable file not found in $PATH"] },
            new("program that is not there", "exec {id} /nonexistent") { Says = ["no such file or directory"] },
            new("program that is a directory", "exec {id} /etc") { Says = ["permission denied"] },
            new("program that is not executable", "exec {id} /etc/data") { Says = ["permission denied"] },
            new("--cwd", "exec --cwd /bin {id} pwd") { Shape = Shape.Exact },
            new("--cwd that is relative", "exec --cwd bin {id} pwd") { Relation = SameAsRunc },
            new("--cwd that is not there", "exec --cwd /none {id} pwd"),
            new("--env", "exec --env A=1 --env A=2 --env B= {id} /bin/sh -c 'echo $A-$B'") { Shape = Shape.Exact },
            new("--env beside the container's own",
            "exec -e A=1 {id} sh -c 'echo $A-$TERM'") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("both forms of a flag",
            "exec -e A=1 --env A=2 {id} /bin/sh -c 'echo $A'")
            {
                Shape = Shape.Exact, Relation = SameAsCrun("the two forms of a flag mean the same, so they mix")
            },
            new("--env without a value", "exec --env A {id} sh -c 'echo x$A'") { Shape = Shape.Exact },
            new("the environment is not the caller's",
            "exec {id} env") { Env = { ["_OCI_SYNCPIPE"] = "7", ["SECRET"] = "1" }, Shape = Environment },
            new("--user", "exec --user 5 {id} sh -c 'id -u; id -g'") { Shape = Shape.Exact },
            new("--user and group", "exec -u 5:6 {id} sh -c 'id -u; id -g'") { Shape = Shape.Exact },
            new("--user by name", "exec --user root {id} id -u") { Relation = SameAsRunc },
            new("--user out of range",
            "exec --user 4294967296 {id} id -u")
            {
                Relation = Differs("a number that is too big is refused: cut to 32 bits this one is 0, root")
            },
            new("--additional-gids",
            "exec --user 5:6 --additional-gids 7 --additional-gids 8 {id} id -G") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("--tty", "exec -t {id} sh -c 'test -t 1 && test -t 0 && echo yes'")
            {
                Shape = static text => text.Trim(),
                Relation = Differs("the caller needs no terminal of its own: what the program writes is passed on all the same")
            },
            new("--tty=false", "exec --tty=false {id} test -t 1"),
            new("--tty and --detach", "exec -t -d {id} true") { Relation = SameAsRunc },
            new("--no-new-privs", "exec --no-new-privs {id} grep NoNewPrivs /proc/self/status") { Shape = Shape.Exact },
            new("--cap", "exec --cap CAP_SYS_TIME {id} grep CapEff /proc/self/status") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("--cap that is none",
            "exec --cap CAP_NOPE {id} true")
            {
                Relation = Differs(
                    "a misspelt name would run the program with less than was asked for; in config.json it is a warning, as the "
                    + "specification has it")
            },
            new("--preserve-fds", "exec --preserve-fds 1 {id} readlink /proc/self/fd/3") { Descriptors = 1, Shape = Shape.Exact },
            new("--preserve-fds that are not there", "exec --preserve-fds 2 {id} true"),
            new("no other descriptors", "exec {id} ls /proc/self/fd") { Descriptors = 4, Shape = Shape.Exact },
            new("--detach", "exec --detach --pid-file {dir}/pid {id} sleep 1000") { Effect = static s => PidIsInside(s, "pid") },
            new("--process", "exec --process {dir}/process.json {id}")
            {
                Before = static s => File.WriteAllText(s.Scratch("process.json"),
                    $"{{{Process},\"args\":[\"sh\",\"-c\",\"pwd; echo $A\"]}}"), Shape = Shape.Exact
            },
            new("--process, as conmon calls it",
            "exec --pid-file {dir}/pid3 --process {dir}/process.json --detach {id}") { Compared = Compared.Exit | Compared.Stderr },
            new("--process that is not there",
            "exec --process {dir}/none {id}") { Relation = SameAsRunc, Says = ["no such file or directory"] },
            new("--process without args", "exec --process {dir}/noargs {id}")
            {
                Relation = SameAsRunc, Before = static s => File.WriteAllText(s.Scratch("noargs"), $"{{{Process}}}")
            },
            new("--process without cwd", "exec --process {dir}/nocwd {id}")
            {
                Relation = SameAsRunc, Before = static s => File.WriteAllText(s.Scratch("nocwd"), "{\"args\":[\"true\"]}")
            },
            new("--process that is no JSON",
            "exec --process {dir}/bad {id}") { Relation = SameAsRunc, Before = static s => File.WriteAllText(s.Scratch("bad"), "{") },
            new("--cgroup that is not there", "exec --cgroup nope {id} true") { Relation = SameAsRunc },
            new("--ignore-paused of one that is not", "exec --ignore-paused {id} echo x") { Shape = Shape.Exact, Relation = SameAsRunc },
            new("--console-socket without a terminal", "exec --console-socket {dir}/none {id} true") { Relation = SameAsRunc },
            new("--apparmor where there is none", "exec --apparmor nope {id} true"),
            new("--process-label where there is none",
            "exec --process-label nope {id} true") { Relation = SameAsRunc }) { Bundle = static b => b.WriteFile("/etc/data", "") },
    ];

    private static string Environment(string text) =>
        string.Join('\n', text.Split('\n').Where(static line => line.Length > 0).Order(StringComparer.Ordinal));

    private static string PidIsInside(Subject s, string file)
    {
        string pid = File.ReadAllText(s.Scratch(file));
        bool runs = Eventually.Becomes(() => File.ReadAllText($"/proc/{pid}/cmdline") == "sleep\01000\0");
        return $"{pid.All(char.IsAsciiDigit)} {runs}";
    }
}
