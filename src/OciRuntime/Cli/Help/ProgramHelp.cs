namespace OciRuntime.Cli;

/// <summary>What help and manual page say about the program as a whole.</summary>
internal static class ProgramHelp
{
    public const string Summary = "run containers from OCI bundles";

    public const string Text =
        """
        Runs one container per call from a bundle: a directory with config.json, which says what the container is, and its root file system.
        There is no daemon; what is known about a container lies in the state directory. Command line and output are those of runc, and
        crun's options are understood, too, so that container engines can use it in their place.
        """;

    public static HelpExample[] Examples { get; } =
    [
        new("Run a container from the bundle in /srv/web (a directory with config.json and a root file system)",
            "ocirun run --bundle /srv/web web"),
        new("The same in steps, as container engines do it", "ocirun create -b /srv/web web && ocirun start web && ocirun delete -f web"),
        new("To begin with: a configuration for the root file system in ./rootfs, and a shell in it", "ocirun spec && ocirun run demo"),
        new("Use it with podman", "podman --runtime $(command -v ocirun) run --rm alpine echo hello"),
    ];

    public static HelpExitCode[] UsualExitCodes { get; } =
        [new("0", "success"), new("1", "failure; the message on standard error says why")];

    public static (string Name, string Text)[] Files { get; } =
    [
        ("/run/ocirun", "the state directory, one directory per container; --root names another"),
        ("$XDG_RUNTIME_DIR/ocirun", "the state directory of an ordinary user"),
        ("config.json", "in the bundle: the container's configuration"),
        ("/run/systemd/journal/socket", "receives the log with --log journald:NAME"),
        ("/dev/log", "receives the log with --log syslog:NAME"),
    ];

    public static (string Name, string Text)[] Environment { get; } =
    [
        ("XDG_RUNTIME_DIR", "where the state directory of an ordinary user lies"),
        ("PATH", "where ps, newuidmap and newgidmap are looked for"),
        ("NOTIFY_SOCKET",
            "for create and run: the socket that learns when the container's program reports that it is ready, as in sd_notify(3)"),
        ("LISTEN_FDS, LISTEN_PID",
            "for create, run and exec: descriptors that are handed on to the container's program, as in sd_listen_fds(3)"),
    ];
}
