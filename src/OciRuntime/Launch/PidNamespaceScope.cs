using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// Children of this thread are born in another pid namespace until the scope ends: setns(2) into a pid namespace does not move the caller,
/// and unlike the other namespaces it is allowed in a process with threads.
/// </summary>
internal sealed class PidNamespaceScope : IDisposable
{
    private readonly Fd? _own;

    /// <param name="fd">A namespace file or a pidfd, or -1 to change nothing.</param>
    /// <param name="what">For the error.</param>
    public PidNamespaceScope(int fd, string what)
    {
        if (fd < 0) return;
        _own = new Fd((int)OciException.Check(Files.OpenAt(Files.AT_FDCWD, "/proc/thread-self/ns/pid_for_children", Files.O_RDONLY), "open own pid namespace"));
        OciException.Check(Processes.SetNamespace(fd, Processes.CLONE_NEWPID), what);
    }

    public void Dispose()
    {
        if (_own == null) return;
        long result = Processes.SetNamespace(_own.Number, Processes.CLONE_NEWPID);
        _own.Dispose();
        OciException.Check(result, "return to own pid namespace");
    }
}
