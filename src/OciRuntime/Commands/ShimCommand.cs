using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Shim;

namespace OciRuntime.Commands;

/// <summary><c>containerd-shim-ocirun-v2 … [start|delete]</c>, or by hand <c>ocirun shim …</c>.</summary>
internal static class ShimCommand
{
    public static int Run(GlobalOptions _, ShimOptions o)
    {
        switch (o.Action)
        {
            case null or "" when o.Info: Output.Write(ShimInfo.Document(FeaturesCommand.Document())); break;
            case null or "" when Sockets.Listens(ShimServer.Listener):
                ShimServer.Run(o.Namespace, Environment.GetEnvironmentVariable("TTRPC_ADDRESS") ?? "");
                break;
            case "start": Output.Write(ShimStart.Run(o)); break;
            case "delete": Output.Write(ShimDelete.Run(o)); break;
            default: throw new UsageException($"containerd starts shims with start or delete, not with \"{o.Action}\"");
        }
        return ExitCodes.Success;
    }
}
