using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// Something that the runtime does for a container. `explain` prints its words, the launch does it: there is no other list.
/// </summary>
internal sealed class LaunchAction(Func<List<RuntimeAction>> words, Action<LaunchContext> act, Action<LaunchContext>? undo = null)
{
    /// <summary>What is done, a line or more, as it is before it is done. Made only for whoever reads them.</summary>
    public Func<List<RuntimeAction>> Words => words;

    public Action<LaunchContext> Do => act;

    /// <summary>Takes back what is not in the journal, by which <see cref="State.ContainerTeardown"/> undoes the rest.</summary>
    public Action<LaunchContext>? Undo => undo;
}
