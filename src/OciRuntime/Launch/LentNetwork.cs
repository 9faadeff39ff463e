using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// The container's new network namespace, made by this process while the child begins: clone3 would make it with nobody else at work, and
/// takes twice as long with it as without. This thread is in there itself for a moment.
/// </summary>
internal static class LentNetwork
{
    // ioctl of a socket: a descriptor of the network namespace that it is in (linux/sockios.h). No /proc is looked up for it.
    private const uint SIOCGSKNS = 0x894c;

    /// <summary>Makes the namespace, with "lo" up, and sends it to the child, which waits for it.</summary>
    public static void Provide(Conversation child, Origin origin)
    {
        using Fd own = NamespaceOf(child.Descriptor, origin);
        OciException.Check(Processes.Unshare(Processes.CLONE_NEWNET), $"{origin}: make a network namespace");
        try
        {
            OciException.Check(NamespaceSteps.LoopbackUp(), $"{origin}: bring the loopback interface up");
            using Fd socket = Sockets.Open(Sockets.SOCK_SEQPACKET);
            using Fd made = NamespaceOf(socket.Number, origin);
            child.Answer(passed: made.Number);
        }
        finally
        {
            // Whatever has failed: the hooks that come now are the host's.
            OciException.Check(Processes.SetNamespace(own.Number, Processes.CLONE_NEWNET), $"{origin}: return to the runtime's own");
        }
    }

    private static Fd NamespaceOf(int socket, Origin origin) =>
        Fd.Of(Files.Ioctl(socket, SIOCGSKNS, 0), $"{origin}: open a network namespace");
}
