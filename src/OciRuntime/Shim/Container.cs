using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>A container of this shim's.</summary>
internal sealed class Container : IDisposable
{
    public Container(CreateRequest request, RuntimeSettings settings, string space)
    {
        Id = request.Id;
        Bundle = request.Bundle;
        Checkpoint = request.Checkpoint;
        Settings = settings;
        Store = new ContainerStore(StateRoot.Resolve($"{settings.Root}/{space}"));
        Init = new TaskProcess(this, "", request.Streams);
    }

    public string Id { get; }

    public string Bundle { get; }

    public RuntimeSettings Settings { get; }

    /// <summary>The directory of images that its start restores it from, or empty.</summary>
    public string Checkpoint { get; }

    /// <summary>Readable when it is not to be made after all; closed once it is.</summary>
    public Fd? Creation { get; set; } = Fd.Of(Processes.EventFd(), "eventfd");

    /// <summary>Where the runtime's own record of it is.</summary>
    public ContainerStore Store { get; }

    public TaskProcess Init { get; }

    public Dictionary<string, TaskProcess> Execs { get; } = [];

    /// <summary>Clients know of it.</summary>
    public bool IsCreated { get; set; }

    /// <summary>The journal as the launch left it; null before that.</summary>
    public ContainerState? State { get; set; }

    public bool IsPausing { get; set; }

    public bool IsPaused { get; set; }

    /// <summary>The first process has ended, though not all have been told.</summary>
    public bool IsInitDead { get; set; }

    /// <summary>What the end of the first process waits for: execs that run, or are about to, and the killing of what is left.</summary>
    public int Running { get; set; }

    public OomWatch? Oom { get; set; }

    public EventLoop.Watch? OomWatch { get; set; }

    /// <summary>If it is still being made, that is taken back.</summary>
    public void Abandon()
    {
        // The counter has room for it.
        if (Creation is not null) Files.Write(Creation.Number, BitConverter.GetBytes(1UL));
    }

    public void Dispose()
    {
        Creation?.Dispose();
        OomWatch?.Dispose();
        Oom?.Dispose();
        Init.Dispose();
        foreach (TaskProcess exec in Execs.Values) exec.Dispose();
    }
}
