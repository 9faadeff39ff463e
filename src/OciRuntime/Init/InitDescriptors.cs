using System.Runtime.InteropServices;
using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// The descriptors that a child inherits and that have a name; -1 where there is none. Nothing but numbers, of which all are walked: a new
/// one is kept when the others are closed, without another word.
/// </summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InitDescriptors
{
    /// <summary>The child's end of the sync socket.</summary>
    public int Sync;

    /// <summary>The socket on which the container waits for `start`.</summary>
    public int Start;

    /// <summary>The console socket, which takes the terminal's master.</summary>
    public int Console;

    /// <summary>The memfd with the state for hooks.</summary>
    public int State;

    /// <summary>The container's root where it is a mount of the host's, which the parent made.</summary>
    public int Root;

    /// <summary>What becomes stdin, stdout and stderr before anything else is done; -1 leaves the caller's.</summary>
    public int Stdin, Stdout, Stderr;

    /// <summary>Files for the output of hooks, where it is not kept for the error report.</summary>
    public int HookStdout, HookStderr;

    public static InitDescriptors None =>
        new()
        {
            Sync = -1,
            Start = -1,
            Console = -1,
            State = -1,
            Root = -1,
            Stdin = -1,
            Stdout = -1,
            Stderr = -1,
            HookStdout = -1,
            HookStderr = -1,
        };

    /// <summary>The descriptor, in the parent, of what the child has as 0, 1 or 2.</summary>
    public readonly int Stream(int number)
    {
        int given = number switch { 0 => Stdin, 1 => Stdout, _ => Stderr };
        return given >= 0 ? given : number;
    }

    /// <summary>What a container that is set up still needs. Named one by one: a new descriptor is not among them by mistake.</summary>
    public readonly InitDescriptors Lasting =>
        None with { Sync = Sync, Start = Start, State = State, HookStdout = HookStdout, HookStderr = HookStderr };

    /// <summary>Closes every descriptor from a number on that is neither here nor in the other list.</summary>
    public long CloseOthers(uint first, NativeArray<int> more)
    {
        while (true)
        {
            uint kept = Lowest(first, more);
            long result = kept == first ? 0 : Files.CloseRange(first, kept == uint.MaxValue ? kept : kept - 1, 0);
            if (result < 0 || kept == uint.MaxValue) return result;
            first = kept + 1;
        }
    }

    /// <summary>The lowest one that is not below a number; uint.MaxValue for none.</summary>
    public uint Lowest(uint first, NativeArray<int> more)
    {
        uint lowest = uint.MaxValue;
        fixed (InitDescriptors* all = &this)
        {
            for (int i = 0; i < sizeof(InitDescriptors) / sizeof(int); i++) Lower(ref lowest, ((int*)all)[i], first);
        }
        for (int i = 0; i < more.Count; i++) Lower(ref lowest, more[i], first);
        return lowest;
    }

    private static void Lower(ref uint lowest, int fd, uint first)
    {
        if (fd >= 0 && (uint)fd >= first && (uint)fd < lowest) lowest = (uint)fd;
    }
}
