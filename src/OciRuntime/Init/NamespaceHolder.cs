using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// A process that does nothing but be in a new user namespace until the parent holds a descriptor of it: Linux has no call that makes a namespace
/// without a process. Obeys the same rule as <see cref="InitMain"/>.
/// </summary>
internal static unsafe class NamespaceHolder
{
    /// <summary>Does not return: ends when the parent closes its end of the pipe, or ends itself, in whatever way.</summary>
    public static void Run(int readEnd, int writeEnd)
    {
        Files.Close(writeEnd);
        byte none;
        while (Files.Read(readEnd, &none, 1) == -Errno.EINTR) { }
        Processes.Exit(0);
    }
}
