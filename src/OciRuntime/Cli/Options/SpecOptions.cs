using CommandLine;

namespace OciRuntime.Cli;

[Verb("spec", HelpText = "write a config.json to begin with")]
[Command(180)]
public sealed partial class SpecOptions : VerbOptions
{
    public const string DefaultFile = "config.json";

    [Option('b', "bundle", MetaValue = "DIR", HelpText = "directory to write to (default: current directory)")]
    public string? Bundle { get; set; }

    [Option('f', "file", MetaValue = "FILE", Default = DefaultFile, HelpText = "name of the file, relative to the bundle")]
    public string File { get; set; } = DefaultFile;

    [Option("rootless", HelpText = "write a configuration that an ordinary user can run")]
    public bool Rootless { get; set; }

    public override VerbHelp Describe() => new(
        """
        Writes a complete configuration that runs "sh" in the directory rootfs of the bundle. Edit it to taste. An existing file is never
        overwritten.
        """,
        [
            new("A first container from a busybox image",
                "mkdir -p demo/rootfs && tar -xf busybox.tar -C demo/rootfs && ocirun spec -b demo && ocirun run -b demo demo"),
            new("The same for an ordinary user", "ocirun spec --rootless -b demo"),
        ]);
}
