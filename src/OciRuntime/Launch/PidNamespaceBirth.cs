using System.Runtime.ExceptionServices;
using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// Has a child born in another pid namespace: setns(2) into one moves not the caller but the children that its thread has from then on, and
/// unlike with the other namespaces it is allowed in a process with threads.
/// </summary>
internal static class PidNamespaceBirth
{
    /// <param name="fd">A namespace file.</param>
    /// <param name="what">For the error.</param>
    /// <param name="clone">Makes the child.</param>
    public static long In(int fd, string what, Func<long> clone)
    {
        using Fd own = new((int)OciException.Check(Files.OpenAt(Files.AT_FDCWD, "/proc/thread-self/ns/pid_for_children", Files.O_RDONLY), "open own pid namespace"));
        // To join what one is in changes nothing and needs the same right as to come back: CAP_SYS_ADMIN in the user namespace that owns it,
        // which root of a user namespace, as with rootless Podman, does not have over the pid namespace that it was made in.
        if (Processes.SetNamespace(own.Number, Processes.CLONE_NEWPID) < 0) return OnThreadOfItsOwn(() => JoinAndClone(fd, what, clone));
        long result = JoinAndClone(fd, what, clone);
        OciException.Check(Processes.SetNamespace(own.Number, Processes.CLONE_NEWPID), "return to own pid namespace");
        return result;
    }

    private static long JoinAndClone(int fd, string what, Func<long> clone)
    {
        OciException.Check(Processes.SetNamespace(fd, Processes.CLONE_NEWPID), what);
        return clone();
    }

    /// <summary>What this thread runs later, hooks for example, stays outside. The other one never ends: its child dies with it (PR_SET_PDEATHSIG).</summary>
    private static long OnThreadOfItsOwn(Func<long> clone)
    {
        long result = 0;
        ExceptionDispatchInfo? failure = null;
        ManualResetEventSlim done = new();
        new Thread(() =>
        {
            try { result = clone(); }
            catch (OciException e) { failure = ExceptionDispatchInfo.Capture(e); }
            done.Set();
            Thread.Sleep(Timeout.Infinite);
        }) { IsBackground = true }.Start();
        done.Wait();
        failure?.Throw();
        return result;
    }
}
