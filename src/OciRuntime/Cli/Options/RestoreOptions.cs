using CommandLine;

namespace OciRuntime.Cli;

[Verb("restore", HelpText = "let a saved container go on, with criu")]
[Command(170, Prelude = Prelude.Seal)]
public sealed partial class RestoreOptions : CriuVerbOptions
{
    [Option('b', "bundle", MetaValue = "DIR",
        HelpText = "directory with config.json and the root file system (default: current directory)")]
    public string? Bundle { get; set; }

    [Option('f', "config", MetaValue = "FILE", Default = BundleOptions.DefaultConfig,
        HelpText = "configuration file, relative to the bundle")]
    public string Config { get; set; } = BundleOptions.DefaultConfig;

    [Option("console-socket", MetaValue = "PATH",
        HelpText = "unix socket that receives the terminal's master end; needed with --detach when process.terminal is true")]
    public string? ConsoleSocket { get; set; }

    [Option('d', "detach", HelpText = "do not wait: leave the container running in the background")]
    public bool Detach { get; set; }

    [Option("pid-file", MetaValue = "PATH", HelpText = "write the container's process id to this file")]
    public string? PidFile { get; set; }

    [Option("no-subreaper", HelpText = "do not adopt the container's orphaned processes")]
    public bool NoSubreaper { get; set; }

    [Option("no-pivot", HelpText = "accepted for runc's sake: how the root is entered is criu's affair")]
    public bool NoPivot { get; set; }

    [Option("tcp-close", HelpText = "restore TCP connections as closed")]
    public bool TcpClose { get; set; }

    [Option("lsm-profile", MetaValue = "TYPE:NAME",
        HelpText = "apparmor or selinux, and the profile or label to use instead of the saved one")]
    public string? LsmProfile { get; set; }

    [Option("lsm-mount-context", MetaValue = "CONTEXT", HelpText = "SELinux context of file systems, instead of the saved one")]
    public string? LsmMountContext { get; set; }

    public override VerbHelp Describe() => new(
        """
        Makes a container from what "ocirun checkpoint" has saved: its processes go on where they were. Namespaces, mounts and cgroup are
        made anew from config.json, which has to fit what was saved. Waits for the end of the container and removes it, as "ocirun run"
        does, unless --detach is given. Needs criu, 3.16 or newer, in $PATH.
        """,
        [
            new("Let web go on in the background", "ocirun restore --detach --image-path /srv/saved --bundle /srv/web web"),
            new("Wait for its end", "ocirun restore --image-path /srv/saved --bundle /srv/web web"),
        ],
        [
            new("N", "the program's own exit code"),
            new("128+N", "signal N ended the program"),
            new("0", "with --detach: the container runs"),
            new("1", "it could not be restored, and nothing is left of it; the message has criu's last error and names its log"),
        ]);
}
