using OciRuntime.Cgroups;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// One container's directory below the state root, held open so that it cannot be swapped for another one under the same name.
/// </summary>
internal sealed class ContainerEntry : IDisposable
{
    /// <summary>The socket on which the created container waits for <c>start</c>; its presence is what "created" means.</summary>
    public const string StartSocketName = "start.sock";

    /// <summary>
    /// Its name while <c>start</c> lets the container go. A start that is killed leaves it there, and only init itself can tell on which
    /// side of the line that was: whether it still listens.
    /// </summary>
    public const string StartingSocketName = "starting.sock";

    public const string JournalName = "state.json";

    /// <summary>The configuration the container was made from: by the time of an exec the bundle may have another, or be gone.</summary>
    public const string ConfigName = "config.json";
    private const string TemporaryJournalName = ".state.json";

    // Not in the journal: that is written anew as a whole, under the lock, which an exec does without.
    private const string OtherRightsName = "other-rights";

    // Annotations and hooks come from config.json, whose reader has a limit of its own; this one only bounds what a broken file can cost.
    private const int MaxJournalBytes = 64 << 20;

    private readonly Fd _directory;

    internal ContainerEntry(string id, string path, Fd directory)
    {
        Id = id;
        Path = path;
        _directory = directory;
    }

    public string Id { get; }

    /// <summary>Absolute path of the directory.</summary>
    public string Path { get; }

    /// <summary>O_PATH descriptor of the directory.</summary>
    public int Directory => _directory.Number;

    /// <summary>The start socket by way of the descriptor: with a long ID its plain path does not fit sockaddr_un (108 bytes).</summary>
    public string StartSocketPath => SocketPath(StartSocketName);

    /// <summary>The same for <see cref="StartingSocketName"/>.</summary>
    public string StartingSocketPath => SocketPath(StartingSocketName);

    /// <summary>The lock, while this process holds it.</summary>
    public ContainerLock? Lock { get; private set; }

    /// <summary>Takes the container's lock, waiting a bounded time for whoever holds it.</summary>
    /// <param name="verb">What this process is about to do, for others' messages.</param>
    /// <param name="waitMilliseconds">How long to wait for another holder.</param>
    /// <exception cref="OciException">"busy: held by pid N (create)"; or "container does not exist" when it was deleted
    /// meanwhile.</exception>
    public void Acquire(string verb, int waitMilliseconds = ContainerLock.DefaultWaitMilliseconds)
    {
        if (!TryAcquire(verb, waitMilliseconds)) throw ContainerStore.DoesNotExist();
    }

    /// <summary>As <see cref="Acquire"/>; false when the container was deleted meanwhile.</summary>
    /// <param name="verb">See <see cref="Acquire"/>.</param>
    /// <param name="waitMilliseconds">See <see cref="Acquire"/>.</param>
    /// <param name="mayMake">Make the lock where it is missing, which is for who makes the container, or removes the directory: one
    /// made between the last two steps of <see cref="Remove"/> would keep a directory that nobody lists.</param>
    public bool TryAcquire(string verb, int waitMilliseconds, bool mayMake = false)
    {
        ContainerLock? taken = ContainerLock.Take(Directory, Id, verb, waitMilliseconds, mayMake);
        Lock = taken;
        if (taken is null) return false;
        bool isInPlace = false;
        try
        {
            return isInPlace = Files.LeadsTo(Files.AT_FDCWD, Path, Directory);
        }
        finally
        {
            if (!isInPlace) Unlock();
        }
    }

    /// <summary>Others may now look at the container, signal it, even delete it.</summary>
    public void Unlock()
    {
        Lock?.Dispose();
        Lock = null;
    }

    /// <summary>The journal, or null when there is none yet (or no more).</summary>
    public ContainerState? TryReadState()
    {
        byte[]? json = Files.ReadFileAt(Directory, JournalName, MaxJournalBytes, out long error);
        if (json is not null) return ContainerState.Parse(json, Id);
        return error == -Errno.ENOENT ? null : throw OciException.FromResult(error, $"read {Path}/{JournalName}");
    }

    /// <summary>The journal.</summary>
    /// <exception cref="OciException">"container does not exist" when there is none; or that it cannot be understood.</exception>
    public ContainerState ReadState() => TryReadState() ?? throw ContainerStore.DoesNotExist();

    /// <summary>
    /// Replaces the journal as a whole (temporary file, then rename): a reader sees the old one or the new one. Not synced: /run is a
    /// tmpfs, and what a power failure leaves on another file system is about processes that no longer exist.
    /// </summary>
    public void WriteState(ContainerState state)
    {
        long fd = Files.OpenAt(Directory, TemporaryJournalName, Files.O_WRONLY | Files.O_CREAT | Files.O_TRUNC | Files.O_NOFOLLOW,
            FileModes.PrivateFile);
        OciException.Check(fd, $"create {Path}/{TemporaryJournalName}");
        long written = Files.WriteAll((int)fd, state.ToJson());
        // A full quota or a network file system reports a failed write as late as in close(2).
        long closed = Files.Close((int)fd);
        long result = written < 0 ? written : closed;
        if (result >= 0) result = Files.RenameAt(Directory, TemporaryJournalName, Directory, JournalName);
        if (result >= 0) return;
        // The next attempt truncates what is left of this one.
        Files.UnlinkAt(Directory, TemporaryJournalName);
        throw OciException.FromResult(result, $"write {Path}/{JournalName}");
    }

    /// <summary>Keeps the configuration as it was read, for <see cref="ReadConfig"/>.</summary>
    public void WriteConfig(ReadOnlySpan<byte> json)
    {
        long result = Files.WriteFileAt(Directory, ConfigName, json, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW,
            FileModes.PrivateFile);
        OciException.Check(result, $"write {Path}/{ConfigName}");
    }

    /// <summary>The configuration the container was made from.</summary>
    public byte[] ReadConfig() =>
        Files.ReadFileAt(Directory, ConfigName, Spec.SpecReader.MaxBytes, out long error)
        ?? throw OciException.FromResult(error, $"read {Path}/{ConfigName}");

    /// <summary>An exec was given other rights than the container's program, and may have left processes behind that have them.</summary>
    public bool HadOtherRights => Files.Exists(Directory, OtherRightsName);

    /// <summary>Notes that an exec is given other rights.</summary>
    public void NoteOtherRights()
    {
        // An exec goes on without: `verify` then takes what it leaves behind for the container's own.
        Files.WriteFileAt(Directory, OtherRightsName, [], Files.O_WRONLY | Files.O_CREAT | Files.O_NOFOLLOW, FileModes.PrivateFile);
    }

    /// <summary>What the container is doing now, by what the kernel says, never by what was written about it.</summary>
    public ContainerStatus Probe(ContainerState state)
    {
        bool creating = state.Phase == ContainerPhase.Creating;
        if (creating && (state.Creator.IsAlive() || state.Init.IsAlive())) return ContainerStatus.Creating;
        // Also what a create that was killed leaves, of which nothing lives, so that a plain delete may clear it away.
        if (creating || !state.Init.IsAlive()) return ContainerStatus.Stopped;
        // Also while it waits for start: frozen it would not answer, and start would wait for ever with the lock that resume needs.
        if (state.CgroupDirectories.Length > 0 && new CgroupControl(state.CgroupDirectories).IsFrozen()) return ContainerStatus.Paused;
        return AwaitsStart ? ContainerStatus.Created : ContainerStatus.Running;
    }

    /// <summary>Whether create has got so far as to say what it is about to do.</summary>
    public bool HasJournal => Files.Exists(Directory, JournalName);

    /// <summary>True from the end of create until <c>start</c>.</summary>
    public bool AwaitsStart =>
        Files.Exists(Directory, StartSocketName) || (Files.Exists(Directory, StartingSocketName) && Listens(StartingSocketPath));

    /// <summary>
    /// Removes the directory with all that is in it. The lock must be held; it ends with the directory. The journal goes after everything
    /// it might be needed for, so that a removal that is interrupted can be repeated.
    /// </summary>
    public void Remove()
    {
        SecondTry.Of(this, static entry => entry.Clear());
        long parent = Files.OpenAt(Files.AT_FDCWD, System.IO.Path.GetDirectoryName(Path)!, Files.O_PATH | Files.O_DIRECTORY);
        using Fd root = Fd.Of(parent, $"open the parent of {Path}");
        SecondTry.Of(this, static entry => entry.Unlink(ContainerLock.FileName));
        SecondTry.Of(root, RemoveFrom);
        Unlock();
    }

    private void RemoveFrom(Fd root)
    {
        long result = Files.UnlinkAt(root.Number, Id, Files.AT_REMOVEDIR);
        if (result is -Errno.ENOTEMPTY or -Errno.EEXIST)
        {
            // An exec that was under way takes no lock.
            Unlink(OtherRightsName);
            result = Files.UnlinkAt(root.Number, Id, Files.AT_REMOVEDIR);
        }
        // Without the lock file the name is free: a create that found the directory may have made it its own by now.
        if (result < 0 && result is not (-Errno.ENOENT or -Errno.ENOTEMPTY or -Errno.EEXIST))
            throw OciException.FromResult(result, $"rmdir {Path}");
    }

    /// <summary>Empties the directory but for the lock.</summary>
    internal void Clear()
    {
        using Fd list = Fd.Of(Files.OpenAt(Directory, ".", Files.O_RDONLY | Files.O_DIRECTORY), $"open {Path}");
        List<string> names = Files.ListDirectory(list.Number, out long error);
        OciException.Check(error, $"read directory {Path}");
        foreach (string name in names)
        {
            if (name is not (JournalName or ContainerLock.FileName)) DirectoryTree.Remove(Directory, name, $"{Path}/{name}");
        }
        Unlink(JournalName);
    }

    private string SocketPath(string name) => $"/proc/self/fd/{Directory}/{name}";

    /// <summary>
    /// A connection that says nothing is no start: init goes on waiting. A full queue (EAGAIN) is somebody's who listens.
    /// </summary>
    private static bool Listens(string path)
    {
        using Fd socket = Sockets.Open(Sockets.SOCK_SEQPACKET | Sockets.SOCK_NONBLOCK);
        return Sockets.Connect(socket.Number, path) is 0 or -Errno.EAGAIN;
    }

    private void Unlink(string name)
    {
        long result = Files.UnlinkAt(Directory, name);
        if (result < 0 && result != -Errno.ENOENT) throw OciException.FromResult(result, $"unlink {Path}/{name}");
    }

    public void Dispose()
    {
        Lock?.Dispose();
        _directory.Dispose();
    }
}
