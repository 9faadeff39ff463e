using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace OciRuntime.Init;

/// <summary>What the child tells the parent, over a SOCK_SEQPACKET pair: one message, one datagram.</summary>
internal enum SyncKind
{
    /// <summary>A step failed; the child is about to exit.</summary>
    Error = 1,

    /// <summary>Have me put into the container's cgroup.</summary>
    Cgroup,

    /// <summary>Write my id maps.</summary>
    IdMaps,

    /// <summary>Write the clock offsets of my new time namespace.</summary>
    TimeOffsets,

    /// <summary>Set my resource limits.</summary>
    Limits,

    /// <summary>Move network devices into my network namespace.</summary>
    NetworkDevices,

    /// <summary>Run the prestart and createRuntime hooks.</summary>
    Hooks,

    /// <summary>Open the source of this bind mount for me: a user namespace hides it from me. Answered with a descriptor.</summary>
    Source,

    /// <summary>
    /// Map the ids of this detached bind mount, whose descriptor comes with the message: it takes privileges over its file system.
    /// </summary>
    MapIds,

    /// <summary>All mounts are made; the next thing is to attach them, which is not to be interrupted.</summary>
    Commit,

    /// <summary>Here is the master of my terminal (foreground only).</summary>
    Console,

    /// <summary>I cloned the real init; its pid is in Value.</summary>
    Forked,

    /// <summary>
    /// The seccomp listener comes with the message; with <see cref="SeccompArguments.ListenerByNumber"/> Value is my descriptor of it.
    /// </summary>
    Listener,

    /// <summary>All is set up. Value: bytes of managed memory allocated by the child, which must be 0.</summary>
    Ready,

    /// <summary>The next thing is execve: when the connection ends after this, the program runs, and without it, init died.</summary>
    Executing,

    // New kinds come last: `start` may be a newer program than the init that waits for it.

    /// <summary>Make this device node for me: a user namespace cannot. Answered with a descriptor of a mount of it.</summary>
    Device,

    /// <summary>
    /// Make this file system for me: the container's device cgroup denies me the device it is on. Answered with a descriptor of a mount.
    /// </summary>
    Filesystem,

    /// <summary>
    /// To a container that waits for `start`: be dumpable for as long as this connection lasts. Answered with an errno, or 0.
    /// </summary>
    Look,
}

/// <summary>Which part of a step failed; the parent turns it into words.</summary>
internal enum InitDetail
{
    None, Target, TargetIsSymlink, TargetInProc, CreateTarget, Source, SourceNotProc, FilesystemType, Option, Superblock,
    MountObject, Attributes,
    Attach, Propagation, ProcMissing, NotADevice, ExistingNode, Parent, Groups, Gid, Uid, KeepCaps, Ambient, OutsideRoot,
    TargetIsRoot, HookFork, HookExecute, HookStatus, HookSignal, HookTimeout, OldRoot, SendConsole, ControllingTerminal,
    ConsoleNode, BadProcFile,
    Listener, CopyUp, CopyUpDepth, CopyUpOwner, CopyUpDevice,
    NotMounted, Covering, TakeMode, Detach, HostsFileSystem, OtherOwner,
    Prologue,
    HookWait,
}

/// <summary>Room for words: the kernel's own, for example a file system's "Unknown parameter", or what a hook printed.</summary>
[InlineArray(SyncMessage.TextSize)]
internal struct SyncText
{
    private byte _first;
}

/// <summary>The one message format in both directions.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct SyncMessage
{
    /// <summary>Bytes of <see cref="Text"/>.</summary>
    public const int TextSize = 1000;

    /// <summary>Bytes of a message, all of which are always sent.</summary>
    public static int Size => sizeof(SyncMessage);

    public SyncKind Kind;
    public int Step, Errno;
    public InitDetail Detail;

    /// <summary>A number that goes with the kind or the detail: a pid, an exit status. Hooks add their index, in the upper half.</summary>
    public long Value;
    public int TextLength;

    /// <summary>The step's operation: `start` reads errors without having the plan.</summary>
    public InitOp Op;
    public SyncText Text;
}
