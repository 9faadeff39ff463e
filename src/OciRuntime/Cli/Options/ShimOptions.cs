using CommandLine;

namespace OciRuntime.Cli;

[Verb("shim", HelpText = "be containerd's shim, as by the name containerd-shim-ocirun-v2")]
[Command(215, Prelude = Prelude.Seal)]
public sealed partial class ShimOptions : VerbOptions
{
    [Option("namespace", MetaValue = "NAME", HelpText = "containerd's namespace")]
    public string Namespace { get; set; } = "";

    [Option("id", MetaValue = "ID", HelpText = "the container, or what holds a pod's namespaces")]
    public string Id { get; set; } = "";

    [Option("address", MetaValue = "PATH", HelpText = "containerd's socket")]
    public string Address { get; set; } = "";

    [Option("publish-binary", MetaValue = "PATH", Hidden = true, HelpText = "ignored: events go to $TTRPC_ADDRESS")]
    public string? PublishBinary { get; set; }

    [Option("bundle", MetaValue = "DIR", Hidden = true, HelpText = "ignored: the bundle is the working directory")]
    public string? Bundle { get; set; }

    [Option("debug", Hidden = true, HelpText = "ignored: there is nothing more to say")]
    public bool Debug { get; set; }

    [Option("info", HelpText = "print, for containerd, what this runtime supports")]
    public bool Info { get; set; }

    [Value(0, MetaName = "action", HelpText = "start or delete; without one, serve the socket at descriptor 3")]
    public string? Action { get; set; }

    public override VerbHelp Describe() => new(
        """
        containerd calls its shims in this way: "start" makes the process that holds the containers of a pod and serves containerd's requests at
        a socket, whose address it prints; "delete" removes what is left of a container. The program does so by itself when it is called by the
        name containerd-shim-ocirun-v2.
        """,
        [new("What containerd learns of the runtime", "containerd-shim-ocirun-v2 -info < /dev/null")]);
}
