using OciRuntime.Cli;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// The one place from which delete, and a create that takes an ID over from a killed one, run poststop hooks. Failures are logged: the
/// container is gone by then, and the specification has the runtime go on as if they had succeeded.
/// </summary>
internal static class PoststopHooks
{
    public static void Run(GlobalOptions g, ContainerState state)
    {
        using Logger log = Logger.Open(g);
        log.Warning($"container {state.Id}: {state.Poststop.Length} poststop hooks were not run: this build cannot run hooks");
    }
}
