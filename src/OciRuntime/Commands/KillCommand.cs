using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun kill [--all] [--regex] ID [SIGNAL]</c>.</summary>
internal static class KillCommand
{
    public static int Run(GlobalOptions g, KillOptions o)
    {
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        if (o.Regex)
        {
            int signal = SignalName.Parse(o.Signal);
            ContainerPattern.ForEach(store, o.Id, id => Kill(store, id, signal, o.All));
        }
        else
        {
            // The container is looked for first, as runc does: a client that kills what is gone is told so, whatever the signal.
            using ContainerEntry entry = store.Open(o.Id);
            ContainerKill.Run(entry, SignalName.Parse(o.Signal), o.All);
        }
        return ExitCodes.Success;
    }

    private static void Kill(ContainerStore store, string id, int signal, bool all)
    {
        using ContainerEntry entry = store.Open(id);
        ContainerKill.Run(entry, signal, all);
    }
}
