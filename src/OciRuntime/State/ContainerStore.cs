using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Undoes what an interrupted create did, as its journal tells. The entry's lock is held.</summary>
internal delegate void LeftoverCleanup(ContainerEntry entry, ContainerState state);

/// <summary>The containers below one state root.</summary>
internal sealed class ContainerStore(StateRoot root)
{
    public StateRoot Root { get; } = root;

    /// <summary>
    /// Makes the ID ours, atomically (mkdir(2)), and takes its lock. The caller writes the journal next, then begins to do things.
    /// What an earlier create, killed half-way, left under the ID is undone by <paramref name="cleanup"/> first.
    /// </summary>
    /// <exception cref="OciException">"container with given ID already exists".</exception>
    public ContainerEntry Claim(string id, LeftoverCleanup cleanup) => throw new NotImplementedException();

    /// <summary>Opens an existing container.</summary>
    /// <exception cref="OciException">"container does not exist", or the ID is malformed.</exception>
    public ContainerEntry Open(string id) => TryOpen(id) ?? throw new OciException("container does not exist", Errno.ENOENT);

    /// <summary>Opens an existing container, or gives null. A malformed ID is an error all the same.</summary>
    public ContainerEntry? TryOpen(string id) => throw new NotImplementedException();

    /// <summary>The IDs, sorted. Entries that cannot be containers (hidden names, files) are left out.</summary>
    /// <exception cref="OciException">The root was named by the user and does not exist.</exception>
    public List<string> List() => throw new NotImplementedException();
}
