using CommandLine;

namespace OciRuntime.Cli;

/// <summary>What can be told to use this runtime.</summary>
public enum Engine
{
    Podman,
    Buildah,
    Docker,
    Containerd,
    Crio,
    Kubernetes,
}

[Verb("setup", HelpText = "configure a container engine to use this runtime")]
[Command(210)]
public sealed partial class SetupOptions : VerbOptions
{
    public const string DefaultName = "ocirun";

    [Option("write", HelpText = "change the engine's configuration; without it, nothing is touched")]
    public bool Write { get; set; }

    [Option("default", HelpText = "make this the runtime of all containers that ask for no other")]
    public bool Default { get; set; }

    [Option("remove", HelpText = "take back what setup has written; what was there before stays")]
    public bool Remove { get; set; }

    [Option("config", MetaValue = "FILE", HelpText = "another file than the one that the engine reads by itself")]
    public string? Config { get; set; }

    [Option("user", HelpText = "the file of the calling user, for rootless Podman, Buildah and Docker")]
    public bool User { get; set; }

    [Option("binary", MetaValue = "PATH", HelpText = "what the engine shall run (default: this program)")]
    public string? Binary { get; set; }

    [Option("shim", HelpText = "for containerd and docker: this program is the shim, too")]
    public bool Shim { get; set; }

    [Option("name", MetaValue = "NAME", Default = DefaultName, HelpText = "what the engine calls the runtime")]
    public string Name { get; set; } = DefaultName;

    [Value(0, MetaName = "engine", Required = true)]
    public Engine Engine { get; set; }

    public override VerbHelp Describe() => new(
        """
        Makes this program one of an engine's runtimes, or its default one. Without --write the configuration goes to standard output as it
        would be, and standard error says which file it is meant for and what to do next. With --write the file is replaced at once or not
        at all; the one before stays beside it as FILE.ocirun-backup. A file that setup had made is deleted by --remove, and then has a
        backup only if there is anything in it that setup would not have written. A second call changes nothing.

        Podman, Buildah and CRI-O get a file of their own, Docker's daemon.json and containerd's config.toml are completed. For Kubernetes
        this is the manifest of a RuntimeClass, and the runtime must be set up in containerd or CRI-O under the same name.
        """,
        [
            new("Look at it first", "ocirun setup docker | diff /etc/docker/daemon.json -"),
            new("Podman runs all containers with this program", "ocirun setup podman --default --write"),
            new("As it was before", "ocirun setup podman --remove --write"),
        ]);
}
