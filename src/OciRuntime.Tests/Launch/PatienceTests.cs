using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>Peers that take nothing: the waiting ends when its time is over.</summary>
public sealed class PatienceTests
{
    private const int Milliseconds = 200;

    [Test]
    public void A_full_queue()
    {
        using FullQueue queue = new();
        Action connect = () => OciRuntime.Linux.Sockets.ConnectStream(queue.Path, "somebody", Patience.Of(Milliseconds));
        connect.Should().Throw<OciException>().WithMessage("somebody: *").Which.Errno.Should().Be(Errno.ETIMEDOUT);
    }

    [Test]
    public void A_reader_that_does_not_read()
    {
        using FullQueue queue = new(clients: 0);
        using Fd socket = OciRuntime.Linux.Sockets.ConnectStream(queue.Path, "somebody", Patience.Of(Milliseconds));
        OciRuntime.Linux.Sockets.SendAll(socket.Number, new byte[16 << 20], -1, Patience.Of(Milliseconds)).Should().Be(-Errno.ETIMEDOUT);
    }

    [Test]
    public void One_that_comes_to_it_later()
    {
        using FullQueue queue = new();
        using Timer timer = new(_ => queue.Accept(), null, 100, Timeout.Infinite);
        using Fd socket = OciRuntime.Linux.Sockets.ConnectStream(queue.Path, "somebody", Patience.Of(30_000));
        socket.IsOpen.Should().BeTrue();
    }
}
