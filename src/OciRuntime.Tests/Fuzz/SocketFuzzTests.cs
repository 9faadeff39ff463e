using System.Text.RegularExpressions;
using NUnit.Framework;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.State;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// Sockets of others: who takes a terminal (--console-socket) or a filter's listener (listenerPath) may be anything, and what a container
/// says to the service manager is the container's choice. spec-fixtures/fuzz/peer-* are what they do, notify-* what it says.
/// </summary>
public sealed class SocketFuzzTests
{
    private const double Seconds = 2;
    private const int PatienceMilliseconds = 100;

    private readonly Random _random = new(FuzzRun.Seed);

    /// <summary>The code that talks to them, by itself: a large text with a descriptor is taken, or refused in time and by name.</summary>
    [Test]
    public void Whoever_takes_a_descriptor() => new FuzzRun(Seeds("peer-*").Next, input =>
    {
        using HostilePeer peer = new(input);
        // More than a socket holds, or less.
        byte[] text = new byte[_random.Next(2) == 0 ? 1000 : 300_000];
        try
        {
            using Fd socket = Sockets.ConnectStream(peer.Path, "peer", Patience.Of(PatienceMilliseconds));
            OciException.Check(Sockets.SendAll(socket.Number, text, socket.Number, Patience.Of(PatienceMilliseconds)), "peer: send");
            return FuzzOutcome.Taken;
        }
        catch (OciException e)
        {
            return Regex.IsMatch(e.Message, @"^peer: .*\(E[A-Z]+\)$") ? FuzzOutcome.Refused : throw new FuzzException(e.Message);
        }
    }).Go(Seconds);

    /// <summary>
    /// The binary, with each of the seeds and what becomes of them: a container, or an error that names the socket and leaves nothing.
    /// </summary>
    [TestCase("console")]
    [TestCase("agent")]
    public void A_launch_with_such_a_socket(string which)
    {
        Requires.OcirunItself();
        Requires.Capability(Requires.CapSysAdmin, "CAP_SYS_ADMIN");
        Queue<byte[]> seeds = new(Read("peer-*"));
        ByteMutator mutator = Seeds("peer-*");
        new FuzzRun(() => seeds.TryDequeue(out byte[]? seed) ? seed : mutator.Next(), input => Launch(which, input)).Go(Seconds);
    }

    private static FuzzOutcome Launch(string which, byte[] input)
    {
        using HostilePeer peer = new(input);
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("true"));
        string[] options = [];
        if (which == "console")
        {
            bundle.Terminal();
            options = ["--console-socket", peer.Path];
        }
        else
        {
            bundle.Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_NOTIFY", "vhangup").Linux["seccomp"]!["listenerPath"] = peer.Path;
        }
        bundle.Save();
        using RunningCommand create =
            Ocirun.Start(["--root", container.StateRoot, "create", .. options, "--bundle", bundle.Directory, container.Id]);
        CommandResult result = PeakMemory.Bounded(create);
        if (result.Succeeded) return FuzzOutcome.Taken;
        // With a peer that is gone by then it is the sending that fails.
        string[] named = which == "console" ? ["--console-socket", "/process/terminal"] : ["/linux/seccomp/listenerPath"];
        bool clean = result.ExitCode == 1 && result.Stderr.Contains("level=error", StringComparison.Ordinal)
            && named.Any(name => result.Stderr.Contains(name, StringComparison.Ordinal)) && result.Stderr.Count(static c => c == '\n') == 1;
        if (!clean) throw new FuzzException($"{result}");
        if (Directory.GetFileSystemEntries(container.StateRoot).Length > 0) throw new FuzzException($"it leaves something: {result}");
        return FuzzOutcome.Refused;
    }

    /// <summary>
    /// On the host's socket a service can name any process as its main one, or leave descriptors: one line passes, and that only says that
    /// it is ready.
    /// </summary>
    [Test]
    public void What_a_container_says_to_the_service_manager()
    {
        using TemporaryRoot root = new();
        using ContainerEntry entry = root.Claim("c");
        NotifyProxy.MakeDirectory(entry);
        using NotifySocket host = new(isAbstract: true);
        using NotifyProxy proxy = NotifyProxy.Open(entry, host.Name, static _ => { })!;
        using Fd container = Sockets.Open(Sockets.SOCK_DGRAM);
        OciException.Check(Sockets.Connect(container.Number, $"{NotifyProxy.DirectoryOf(entry.Path)}/notify.sock"), "connect");
        ByteMutator mutator = Seeds("notify-*");
        new FuzzRun(mutator.Next, input =>
        {
            // What does not fit into one message is not said.
            long sent = Sockets.Send(container.Number, input, _random.Next(2) == 0 ? container.Number : -1, Sockets.MSG_DONTWAIT);
            if (sent < 0) return FuzzOutcome.Refused;
            if (!proxy.Pass()) return host.IsEmpty ? FuzzOutcome.Refused : throw new FuzzException("something passes that is not ready");
            (string text, int descriptor) = host.Receive();
            // U+FFFD for a byte that is no text takes three.
            bool ready = text.StartsWith("READY=", StringComparison.Ordinal) && text.IndexOf('\n') == text.Length - 1
                && text.Length <= 4097 && descriptor < 0 && host.IsEmpty;
            return ready ? FuzzOutcome.Taken : throw new FuzzException($"descriptor {descriptor}, {text.Length} characters: {text}");
        }).Go(Seconds / 2);
    }

    private static IEnumerable<byte[]> Read(string seeds) =>
        Directory.GetFiles(SpecFixtures.PathOf("fuzz"), seeds).Order(StringComparer.Ordinal).Select(File.ReadAllBytes);

    private ByteMutator Seeds(string seeds) => new(Read(seeds), _random);
}
