using System.Text;
using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Protobuf;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>
/// <c>delete</c>: containerd calls it after each container, and after a shim that has died. Usually nothing is left; else it takes the
/// place of the shim that should have removed it. containerd waits five seconds.
/// </summary>
internal static class ShimDelete
{
    private const int LockMilliseconds = 3000, DialMilliseconds = 100;

    /// <returns>What is to be printed: containerd.task.v3.DeleteResponse.</returns>
    public static byte[] Run(ShimOptions o)
    {
        if (o.Id.Length == 0 || o.Namespace.Length == 0) throw new UsageException("delete needs -namespace and -id");
        // The working directory is a bundle of the same namespace; that of this container may be gone.
        string bundle = $"{Path.GetDirectoryName(Files.FullPath("."))}/{o.Id}";
        ContainerStore store = new(StateRoot.Resolve($"{BundleFiles.ReadRoot(bundle)}/{o.Namespace}"));
        ContainerWork.DeleteState(store, o.Id, LockMilliseconds, RunPoststop);
        RootFilesystem.UnmountAll(bundle);
        RemoveSocket(bundle);
        return new ProtobufWriter().Number(1, Files.ReadNumber($"{bundle}/{BundleFiles.InitPid}") ?? 0)
            .Number(2, ExitCodes.ForSignal(Processes.SIGKILL)).Message(3, Instant.Now().Write()).Written.ToArray();
    }

    private static void RunPoststop(ContainerState state) =>
        HookRunner.RunPoststop(state, static message => Output.WriteError(message + "\n"));

    /// <summary>That of a shim that was killed; containerd leaves it.</summary>
    private static void RemoveSocket(string bundle)
    {
        const int MaxLength = 4096;
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, $"{bundle}/{BundleFiles.Address}", MaxLength, out _) ?? [];
        string address = Encoding.UTF8.GetString(text);
        if (!address.StartsWith(ShimSocket.Scheme, StringComparison.Ordinal)) return;
        string path = address[ShimSocket.Scheme.Length..];
        // Or it is gone already.
        if (!ShimSocket.Answers(path, DialMilliseconds)) Files.UnlinkAt(Files.AT_FDCWD, path);
    }
}
