using CommandLine;

namespace OciRuntime.Cli;

[Verb("checkpoint", HelpText = "save a running container to files, with criu")]
[Command(160, Prelude = Prelude.Seal)]
public sealed partial class CheckpointOptions : CriuVerbOptions
{
    [Option("leave-running", HelpText = "let the container go on afterwards, instead of ending and deleting it")]
    public bool LeaveRunning { get; set; }

    [Option("pre-dump", HelpText = "save only the memory, ahead of a checkpoint with --parent-path; the container goes on")]
    public bool PreDump { get; set; }

    [Option("tcp-skip-in-flight", HelpText = "leave out TCP connections that are just being made")]
    public bool TcpSkipInFlight { get; set; }

    [Option("link-remap", HelpText = "allow open files that were deleted, by linking them back for the while")]
    public bool LinkRemap { get; set; }

    [Option("status-fd", MetaValue = "FD", Default = -1, HelpText = "file descriptor that gets a NUL when lazy pages can be fetched")]
    [ReadWith(nameof(ReadFd))]
    public int StatusFd { get; set; } = -1;

    [Option("page-server", MetaValue = "ADDRESS:PORT", HelpText = "page server that takes the memory instead of a file")]
    public string? PageServer { get; set; }

    private static int ReadFd(ref ArgumentCursor a) => (int)(a.Number() ?? -1);

    public override VerbHelp Describe() => new(
        """
        Saves all processes of a running or paused container, with their memory, in a directory from which "ocirun restore" brings them
        back, here or on another machine with the same root file system. Then the container is gone, unless --leave-running or --pre-dump is
        given. Needs criu, 3.16 or newer, in $PATH.
        """,
        [
            new("Save web, and later let it go on from there",
                "ocirun checkpoint --image-path /srv/saved web && ocirun restore -d --image-path /srv/saved -b /srv/web web"),
            new("Save most of the memory ahead, so that the second step takes less time",
                "ocirun checkpoint --pre-dump --image-path /srv/1 web && ocirun checkpoint --image-path /srv/2 --parent-path ../1 web"),
        ],
        [
            new("0", "the container is saved"),
            new("1", "it is not, and goes on; the message has criu's last error and names its log"),
        ]);
}
