using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// A container's first process, held by a pidfd and by its /proc directory: from here on no other process can be taken for it, whatever
/// becomes of its pid.
/// </summary>
internal sealed class ContainerInit : IDisposable
{
    private readonly Fd _directory;
    private readonly string _stopped;
    private Fd? _look;

    private ContainerInit(int pid, Fd pidfd, Fd directory, string stopped)
    {
        Pid = pid;
        PidFd = pidfd;
        _directory = directory;
        _stopped = stopped;
    }

    public int Pid { get; }
    public Fd PidFd { get; }

    /// <param name="identity">The process.</param>
    /// <param name="stopped">The message when it has ended.</param>
    /// <exception cref="OciException">It has ended.</exception>
    public static ContainerInit Open(ProcessIdentity identity, string stopped = "cannot exec in a stopped container")
    {
        long pidfd = identity.OpenPidFd();
        if (pidfd == -Errno.ESRCH) throw new OciException(stopped);
        Fd held = Fd.Of(pidfd, $"open process {identity.Pid}");
        long directory = Files.OpenAt(Files.AT_FDCWD, $"/proc/{Digits.Of(identity.Pid)}", Files.O_PATH | Files.O_DIRECTORY);
        // While the process has not been reaped its number is nobody else's: the directory was its own.
        bool same = directory >= 0 && Processes.PidFdSendSignal(held.Number, 0) is not -Errno.ESRCH;
        if (same) return new ContainerInit(identity.Pid, held, new Fd((int)directory), stopped);
        held.Dispose();
        if (directory >= 0) Files.Close((int)directory);
        else if (directory is not (-Errno.ENOENT or -Errno.ESRCH)) OciException.Check(directory, $"open /proc/{identity.Pid}");
        throw new OciException(stopped);
    }

    /// <summary>
    /// CLONE_NEW… flags of the namespaces in which it is and this process is not. Namespaces that both share need no joining, and an
    /// ordinary user may not.
    /// </summary>
    /// <param name="entry">The container. If it waits for `start`, an ordinary user has to ask before he may look, and may then enter, too,
    /// until this is disposed.</param>
    /// <param name="interruption">Ends the wait for the answer.</param>
    /// <param name="milliseconds">How long the answer is waited for; -1 for no limit.</param>
    public ulong Separate(ContainerEntry entry, Interruption interruption, int milliseconds)
    {
        ulong flags = 0;
        // Not only when it is hidden: another one may be looking, and be done before this one is.
        if (Processes.EffectiveUid() != 0 && entry.AwaitsStart) _look = StartSocket.Look(entry, interruption, milliseconds);
        using Fd mine = Fd.Open("/proc/self/ns", Files.O_PATH | Files.O_DIRECTORY, "open /proc/self/ns");
        long opened = Files.OpenAt(_directory.Number, "ns", Files.O_PATH | Files.O_DIRECTORY);
        if (opened is -Errno.ESRCH or -Errno.ENOENT) throw new OciException(_stopped);
        using Fd theirs = Fd.Of(opened, $"look at the namespaces of the container's process {Pid}");
        foreach ((_, string file, _, ulong flag) in NamespaceNames.Kinds)
        {
            long result = Files.StatAt(mine.Number, file, 0, out Statx own);
            // A kernel without this kind of namespace has no such file.
            if (result == -Errno.ENOENT) continue;
            OciException.Check(result, $"look at the runtime's own {file} namespace");
            result = Files.StatAt(theirs.Number, file, 0, out Statx stat);
            if (result == -Errno.EACCES && _look is null && (_look = StartSocket.Look(entry, interruption, milliseconds)) is not null)
                result = Files.StatAt(theirs.Number, file, 0, out stat);
            if (result is -Errno.ESRCH or -Errno.ENOENT) throw new OciException(_stopped);
            if (result == -Errno.EACCES)
            {
                throw new OciException(
                    $"look at the {file} namespace of the container's process {Pid}: permission denied (EACCES): an ordinary user may not "
                    + $"after its program changed its user, or while it starts");
            }
            OciException.Check(result, $"look at the {file} namespace of the container's process {Pid}");
            if (stat.Identity != own.Identity) flags |= flag;
        }
        return flags;
    }

    /// <summary>setgroups(2) was given up in its user namespace.</summary>
    public bool DeniesSetgroups() => UserNamespace.DeniesSetgroups("setgroups", _directory.Number);

    /// <summary>One of its namespaces, by the name of its file: user, mnt.</summary>
    public Fd OpenNamespace(string name) =>
        Fd.Of(Files.OpenAt(_directory.Number, $"ns/{name}", Files.O_RDONLY), $"open the {name} namespace of the container's process {Pid}");

    /// <summary>Its root directory.</summary>
    public Fd OpenRoot() =>
        Fd.Of(Files.OpenAt(_directory.Number, "root", Files.O_PATH | Files.O_DIRECTORY), $"open the root of the container's process {Pid}");

    public void Dispose()
    {
        _look?.Dispose();
        PidFd.Dispose();
        _directory.Dispose();
    }
}
