using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// The one place from which delete runs poststop hooks. Failures are logged: the container is gone by then, and the specification has the
/// runtime go on as if they had succeeded.
/// </summary>
internal static class PoststopHooks
{
    public static void Run(GlobalOptions g, ContainerState state)
    {
        using Logger log = Logger.Open(g);
        HookRunner.RunPoststop(state, log.Warning);
    }
}
