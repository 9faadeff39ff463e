using CommandLine;

namespace OciRuntime.Cli;

[Verb("exec", HelpText = "run one more process in a container")]
[Command(40, Prelude = Prelude.Seal)]
public sealed partial class ExecOptions : VerbOptions
{
    [Option('p', "process", MetaValue = "FILE",
        HelpText = "the process object of config.json (process.json); all options about the process are then left to it")]
    public string? Process { get; set; }

    [Option("cwd", MetaValue = "DIR", HelpText = "working directory in the container")]
    public string? Cwd { get; set; }

    [Option('e', "env", MetaValue = "NAME=VALUE", HelpText = "set an environment variable; may be repeated")]
    public List<string> Env { get; } = [];

    [Option('t', "tty", HelpText = "give the process a terminal")]
    public bool Tty { get; set; }

    [Option('u', "user", MetaValue = "UID[:GID]", HelpText = "user, and group, in the container, as numbers")]
    public string? User { get; set; }

    [Option('g', "additional-gids", MetaValue = "GID", HelpText = "one more supplementary group; may be repeated")]
    public List<string> AdditionalGids { get; } = [];

    [Option('d', "detach", HelpText = "do not wait for the process's end")]
    public bool Detach { get; set; }

    [Option("pid-file", MetaValue = "PATH", HelpText = "write the process id to this file")]
    public string? PidFile { get; set; }

    [Option("console-socket", MetaValue = "PATH",
        HelpText = "unix socket that receives the terminal's master end; needed with --tty and --detach")]
    public string? ConsoleSocket { get; set; }

    [Option("pidfd-socket", MetaValue = "PATH", HelpText = "unix socket that receives a pidfd of the process")]
    public string? PidfdSocket { get; set; }

    [Option("process-label", MetaValue = "LABEL", HelpText = "SELinux label of the process")]
    public string? ProcessLabel { get; set; }

    [Option("apparmor", MetaValue = "PROFILE", HelpText = "AppArmor profile of the process")]
    public string? Apparmor { get; set; }

    [Option("no-new-privs", HelpText = "the process cannot gain privileges by execve")]
    public bool NoNewPrivs { get; set; }

    [Option('c', "cap", MetaValue = "CAP", HelpText = "one more capability for the process; may be repeated")]
    public List<string> Capabilities { get; } = [];

    [Option("preserve-fds", MetaValue = "N", Default = 0, HelpText = "hand N more file descriptors to the process, 3 to 2+N")]
    public int PreserveFds { get; set; }

    [Option("cgroup", MetaValue = "PATH",
        HelpText = "run in this cgroup below the container's; on cgroup v1 CONTROLLER[,CONTROLLER]:PATH, and may be repeated")]
    public List<string> Cgroups { get; } = [];

    [Option("ignore-paused", HelpText = "allow it in a paused container: the process begins when that is resumed")]
    public bool IgnorePaused { get; set; }

    [Value(0, MetaName = "container-id", Required = true, HelpText = "the container")]
    public string Id { get; set; } = "";

    [Value(1, MetaName = "command", HelpText = "program and arguments; not with --process")]
    public List<string> Command { get; } = [];

    internal override string? ContainerId => Id;

    public override bool OptionsEndAtFirstArgument => true;

    public override VerbHelp Describe() => new(
        """
        Runs a program in a container that is there: in its namespaces and cgroup, with the limits, capabilities and filters its own process
        was configured with. Waits for the program, unless --detach is given. What follows the container's name belongs to the program.
        """,
        [
            new("A shell in the container web", "ocirun exec -t web sh"),
            new("A program as another user, with one variable more", "ocirun exec -u 1000:1000 -e LANG=C web id"),
        ],
        [
            new("N", "the program's own exit code"),
            new("128+N", "signal N ended the program"),
            new("0", "with --detach: the program runs"),
            new("255", "the program could not be run; the message says why"),
        ]);
}
