using CommandLine;

namespace OciRuntime.Cli;

/// <summary>What a launch plan is made from: shared by the commands that launch and by the one that only explains.</summary>
public abstract partial class BundleOptions : VerbOptions
{
    public const string DefaultConfig = "config.json";

    [Option('b', "bundle", MetaValue = "DIR",
        HelpText = "directory with config.json and the root file system (default: current directory)")]
    public string? Bundle { get; set; }

    [Option('f', "config", MetaValue = "FILE", Default = DefaultConfig, HelpText = "configuration file, relative to the bundle")]
    public string Config { get; set; } = DefaultConfig;

    [Option("console-socket", MetaValue = "PATH",
        HelpText = "unix socket that receives the terminal's master end; needed when process.terminal is true and ocirun does not stay " +
            "in the foreground")]
    public string? ConsoleSocket { get; set; }

    [Option("no-pivot", HelpText = "enter the root with MS_MOVE and chroot instead of pivot_root; for ramdisks, weaker isolation")]
    public bool NoPivot { get; set; }

    [Option("preserve-fds", MetaValue = "N", Default = 0, HelpText = "hand N more file descriptors to the container, 3 to 2+N")]
    public int PreserveFds { get; set; }

    public abstract string Id { get; set; }

    internal override string? ContainerId => Id;
}
