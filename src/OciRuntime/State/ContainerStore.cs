using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Undoes what an interrupted create did, as its journal tells. The entry's lock is held.</summary>
internal delegate void LeftoverCleanup(ContainerEntry entry, ContainerState state);

/// <summary>The containers below one state root.</summary>
internal sealed class ContainerStore(StateRoot root)
{
    // Each retry means that somebody deleted the container in the instant between two of our calls.
    private const int ClaimAttempts = 100;

    private const int AbandonedLockMilliseconds = 2000;

    public StateRoot Root { get; } = root;

    /// <summary>The error that clients match (containerd, CRI-O, BuildKit).</summary>
    public static OciException DoesNotExist() => new("container does not exist", Errno.ENOENT);

    private static OciException AlreadyExists() => new("container with given ID already exists", Errno.EEXIST);

    /// <summary>
    /// Makes the ID ours, atomically, and takes its lock; then the directory is empty but for the lock. The caller writes the journal next,
    /// and only then begins to do things. What an earlier create, killed half-way, left under the ID is undone by
    /// <paramref name="cleanup"/> first.
    /// </summary>
    /// <param name="id">The ID.</param>
    /// <param name="verb">For the messages of those who wait for the lock: "create" or "run".</param>
    /// <param name="cleanup">Undoes a leftover; the directory itself is cleared here.</param>
    /// <exception cref="OciException">"container with given ID already exists".</exception>
    public ContainerEntry Claim(string id, string verb, LeftoverCleanup cleanup)
    {
        ContainerId.Validate(id);
        using Fd directory = Root.OpenOrCreate();
        for (int attempt = 0; attempt < ClaimAttempts; attempt++)
        {
            // mkdir(2) settles who made the directory. Whose it is, the lock settles: the maker may be killed before it took it.
            long made = Files.MakeDirectoryAt(directory.Number, id, FileModes.PrivateDirectory);
            if (made < 0 && made != -Errno.EEXIST) throw OciException.FromResult(made, $"mkdir {Root.Path}/{id}");
            ContainerEntry? entry = null;
            try
            {
                entry = OpenIn(directory.Number, id);
                if (entry is null) continue;
                if (TakeOver(entry, verb, cleanup)) return entry;
                entry.Dispose();
            }
            catch
            {
                entry?.Dispose();
                if (made == 0) TakeBack(directory.Number, id, verb);
                throw;
            }
        }
        throw AlreadyExists();
    }

    /// <summary>Opens an existing container.</summary>
    /// <exception cref="OciException">"container does not exist", or the ID is malformed.</exception>
    public ContainerEntry Open(string id) => TryOpen(id) ?? throw DoesNotExist();

    /// <summary>Opens an existing container, or gives null. A malformed ID is an error all the same.</summary>
    public ContainerEntry? TryOpen(string id)
    {
        ContainerId.Validate(id);
        using Fd? root = Root.TryOpen();
        return root is null ? null : OpenIn(root.Number, id);
    }

    /// <summary>The IDs, sorted. What cannot be a container (hidden names, files) is left out.</summary>
    /// <exception cref="OciException">The root was named by the user and does not exist.</exception>
    public List<string> List()
    {
        using Fd? root = Root.TryOpen();
        if (root is null && !Root.IsExplicit) return [];
        long fd = root is null ? -Errno.ENOENT : Files.OpenAt(root.Number, ".", Files.O_RDONLY | Files.O_DIRECTORY);
        using Fd directory = Fd.Of(fd, $"open {Root.Path}");
        List<string> names = Files.ListDirectory(directory.Number, out long error);
        OciException.Check(error, $"read directory {Root.Path}");
        names.RemoveAll(name => !ContainerId.IsValid(name) || !IsDirectory(directory.Number, name));
        names.Sort(StringComparer.Ordinal);
        return names;
    }

    /// <summary>Removes a directory that was made and could not be taken, unless it is somebody else's by now.</summary>
    private void TakeBack(int directory, string id, string verb)
    {
        try
        {
            using ContainerEntry? entry = OpenIn(directory, id);
            if (entry is not null && entry.TryAcquire(verb, 0, mayMake: true) && entry.TryReadState() is null) entry.Remove();
        }
        catch (OciException)
        {
            // Without inodes for a lock there is nothing in the directory either; one that somebody uses is not empty.
            Files.UnlinkAt(directory, id, Files.AT_REMOVEDIR);
        }
    }

    /// <summary>
    /// Gives up a directory that is ours, for by now nobody's container is in it; why it is given up is the error to report.
    /// </summary>
    private static void RemoveEmpty(ContainerEntry entry)
    {
        try
        {
            entry.Remove();
        }
        catch (OciException)
        {
        }
    }

    private static bool IsDirectory(int root, string name) =>
        Files.StatAt(root, name, Files.AT_SYMLINK_NOFOLLOW, out Statx stat) == 0 && stat.IsDirectory;

    private ContainerEntry? OpenIn(int root, string id)
    {
        string path = $"{Root.Path}/{id}";
        long fd = Files.OpenAt(root, id, Files.O_PATH | Files.O_DIRECTORY | Files.O_NOFOLLOW);
        // ENOTDIR, ELOOP: a file or a link of that name is nothing we made.
        if (fd is -Errno.ENOENT or -Errno.ENOTDIR or -Errno.ELOOP) return null;
        return new ContainerEntry(id, path, Fd.Of(fd, $"open {path}"));
    }

    private static bool Acquire(ContainerEntry entry, string verb)
    {
        try
        {
            return entry.TryAcquire(verb, 0, mayMake: true);
        }
        catch (OciException e)
            when (e.Errno == Errno.EBUSY && entry.TryReadState() is { Phase: ContainerPhase.Creating } left && !left.Creator.IsAlive())
        {
            // A creator that was killed right after it cloned leaves its lock to the child, until that gets to close its copy.
            return entry.TryAcquire(verb, AbandonedLockMilliseconds, mayMake: true);
        }
    }

    /// <summary>True when the entry is ours, false when it vanished; throws when somebody else has it.</summary>
    private static bool TakeOver(ContainerEntry entry, string verb, LeftoverCleanup cleanup)
    {
        try
        {
            if (!Acquire(entry, verb)) return false;
        }
        catch (OciException e) when (e.Errno == Errno.EBUSY)
        {
            throw AlreadyExists();
        }
        if (entry.TryReadState() is { } state)
        {
            // With its lock in our hands a creator that lives has lost its way. One that is dead may have left a first process that has yet
            // to notice; the clean-up ends it.
            if (state.Phase != ContainerPhase.Creating || state.Creator.IsAlive()) throw AlreadyExists();
            cleanup(entry, state);
        }
        try
        {
            entry.Clear();
        }
        catch
        {
            RemoveEmpty(entry);
            throw;
        }
        return true;
    }
}
