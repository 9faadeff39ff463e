using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// A process that does nothing but be in new namespaces until the parent holds a descriptor of it: Linux has no call that makes a
/// namespace without a process. Obeys the same rule as <see cref="InitMain"/>.
/// </summary>
internal static unsafe class NamespaceHolder
{
    /// <summary>Makes it. Whoever has closed his end of the pipe has to wait for it.</summary>
    /// <param name="flags">CLONE_NEW… flags of what it is in.</param>
    /// <param name="readEnd">The pipe, whose ends are numbers here: the child has no managed objects (Native/runtime.c).</param>
    /// <param name="writeEnd">The parent's end of it.</param>
    /// <param name="later">What it makes itself, with the power that it has by then; its exit code is the errno of that.</param>
    /// <returns>Its pid, or a negated errno.</returns>
    public static long Clone(ulong flags, int readEnd, int writeEnd, ulong later = 0)
    {
        long pid = Processes.Clone(new CloneArgs { Flags = flags, ExitSignal = Processes.SIGCHLD });
        if (pid == 0) Run(readEnd, writeEnd, later);
        return pid;
    }

    /// <summary>Does not return: ends when the parent closes its end of the pipe, or ends itself, in whatever way.</summary>
    private static void Run(int readEnd, int writeEnd, ulong later)
    {
        Files.Close(writeEnd);
        long result = later == 0 ? 0 : Processes.Unshare(later);
        byte none;
        // Whatever it reads, it was to wait for that only.
        Files.Read(readEnd, &none, 1);
        Processes.Exit((int)-result);
    }
}
