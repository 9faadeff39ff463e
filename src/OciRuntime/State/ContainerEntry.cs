using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>One container's directory below the state root, held open so that it cannot be swapped for another one under the same name.</summary>
internal sealed class ContainerEntry : IDisposable
{
    /// <summary>The socket on which the created container waits for <c>start</c>; its presence is what "created" means.</summary>
    public const string StartSocketName = "start.sock";

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
    public string StartSocketPath => $"/proc/self/fd/{Directory}/{StartSocketName}";

    /// <summary>The lock, while this process holds it.</summary>
    public ContainerLock? Lock { get; private set; }

    /// <summary>Takes the container's lock, waiting a bounded time for whoever holds it.</summary>
    /// <param name="verb">What this process is about to do, for others' messages.</param>
    /// <param name="waitMilliseconds">How long to wait for another holder.</param>
    /// <exception cref="OciException">"busy: held by pid N (create)"; or "container does not exist" when it was deleted meanwhile.</exception>
    public void Acquire(string verb, int waitMilliseconds = ContainerLock.DefaultWaitMilliseconds) => throw new NotImplementedException();

    /// <summary>The journal, or null when there is none yet (or no more).</summary>
    public ContainerState? TryReadState() => throw new NotImplementedException();

    /// <summary>The journal.</summary>
    /// <exception cref="OciException">"container does not exist" when there is none; or that it cannot be understood.</exception>
    public ContainerState ReadState() => throw new NotImplementedException();

    /// <summary>Replaces the journal as a whole (temporary file, then rename): a reader sees the old one or the new one.</summary>
    public void WriteState(ContainerState state) => throw new NotImplementedException();

    /// <summary>What the container is doing now.</summary>
    public ContainerStatus Probe(ContainerState state) => throw new NotImplementedException();

    /// <summary>Removes the directory with all that is in it, journal last. The lock must be held; it ends with the directory.</summary>
    public void Remove() => throw new NotImplementedException();

    public void Dispose()
    {
        Lock?.Dispose();
        _directory.Dispose();
    }
}
