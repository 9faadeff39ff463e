using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>What the child says of a step that failed.</summary>
/// <param name="Errno">The kernel's reason.</param>
/// <param name="Detail">The part of the step.</param>
/// <param name="Value">A number that goes with the detail (see <see cref="SyncMessage.Value"/>).</param>
/// <param name="Text">Words, mostly the kernel's.</param>
internal readonly record struct StepFailure(int Errno, InitDetail Detail, long Value = 0, string Text = "")
{
    /// <summary>"source: no such file or directory (ENOENT)", and the words.</summary>
    public string Reason => Part + ErrnoWords + (Text.Length == 0 ? "" : $": {Text}");

    /// <summary>The reason where the words are something else.</summary>
    public string ReasonAlone =>
        Detail is InitDetail.HookStatus or InitDetail.HookSignal or InitDetail.HookTimeout ? DetailWords : Part + ErrnoWords;

    public string ErrnoWords => $"{ErrnoText.Describe(Errno)} ({ErrnoText.Name(Errno)})";

    private string Part => DetailWords is { Length: > 0 } detail ? detail + ": " : "";

    private string DetailWords => Detail switch
    {
        InitDetail.Target => "destination",
        InitDetail.TargetIsSymlink => "destination must be a real directory, not a symbolic link",
        InitDetail.TargetIsRoot => "destination leads to the container's root",
        InitDetail.ProcMissing => "the host's /proc is not mounted",
        InitDetail.TargetInProc => "destination leads into the container's /proc",
        InitDetail.CreateTarget => "create",
        InitDetail.Source => "source",
        InitDetail.SourceNotProc => "source is not a procfs",
        InitDetail.FilesystemType => "file system type",
        InitDetail.Option => "option",
        InitDetail.Superblock => "create file system",
        InitDetail.MountObject => "create mount",
        InitDetail.Attributes => "set mount attributes",
        InitDetail.Attach => "attach",
        InitDetail.Propagation => "set propagation",
        InitDetail.NotADevice => "not the device it should be",
        InitDetail.ExistingNode => "a different file is there already",
        InitDetail.Parent => "make the parent mount private",
        InitDetail.Groups => "setgroups",
        InitDetail.Gid => "setgid",
        InitDetail.Uid => "setuid",
        InitDetail.KeepCaps => "keep capabilities",
        InitDetail.Ambient => "ambient",
        InitDetail.OutsideRoot => "is outside the container",
        InitDetail.OldRoot => "detach the old root",
        InitDetail.SendConsole => "send the terminal's master",
        InitDetail.ControllingTerminal => "controlling terminal",
        InitDetail.ConsoleNode => "/dev/console",
        InitDetail.BadProcFile => "/proc is not a procfs",
        InitDetail.Listener => "hand the listener over",
        InitDetail.CopyUp => "copy what is there",
        InitDetail.CopyUpDepth => "copy what is there: more than 256 directories deep",
        InitDetail.CopyUpOwner => "copy what is there: set the owner",
        InitDetail.CopyUpDevice => "copy what is there: make the device",
        InitDetail.NotMounted => "nothing is mounted there",
        InitDetail.Covering => "it leads to what hides or protects a path of the container, or has that on it",
        InitDetail.TakeMode => "take the mode of the directory that it covers",
        InitDetail.Detach => "detach",
        InitDetail.HostsFileSystem => "it would have to be made or changed in a file system of which there is only the host's",
        InitDetail.OtherOwner => "it has not the owner or mode that it should have",
        InitDetail.Prologue => "before it, close what is the runtime's own and die with it",
        InitDetail.HookFork => "clone",
        InitDetail.HookExecute => "execute",
        InitDetail.HookWait => "wait for its end",
        InitDetail.HookStatus => $"exit status {(uint)Value}",
        InitDetail.HookSignal => $"killed by signal {(uint)Value}",
        InitDetail.HookTimeout => $"hook ran past specified timeout of {(uint)Value}.0s",
        _ => "",
    };
}
