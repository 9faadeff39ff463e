using CommandLine;

namespace OciRuntime.Cli;

[Verb("create", HelpText = "create a container, ready to be started")]
[Command(10, Prelude = Prelude.Seal)]
public partial class CreateOptions : BundleOptions
{
    [Option("pid-file", MetaValue = "PATH", HelpText = "write the container's process id to this file")]
    public string? PidFile { get; set; }

    [Option("pidfd-socket", MetaValue = "PATH", HelpText = "unix socket that receives a pidfd of the container's process")]
    public string? PidfdSocket { get; set; }

    [Option("no-new-keyring", HelpText = "keep the caller's session keyring instead of giving the container its own")]
    public bool NoNewKeyring { get; set; }

    [Option("no-subreaper", Hidden = true, HelpText = "accepted as crun does: create adopts nobody")]
    public virtual bool NoSubreaper { get; set; }

    [Value(0, MetaName = "container-id", Required = true, HelpText = "name for the new container, unique on this machine")]
    public override string Id { get; set; } = "";

    public override VerbHelp Describe() => new(
        """
        Sets up everything config.json in the bundle asks for - namespaces, mounts, cgroups, limits, security - and stops just before the
        container's program: "ocirun start" runs it, "ocirun delete" removes it. "ocirun run" does create, start and delete in one go.
        """,
        [
            new("Create a container from the bundle in /srv/web, then start it", "ocirun create --bundle /srv/web web && ocirun start web"),
            new("See first what would be done", "ocirun explain --bundle /srv/web"),
        ]);
}
