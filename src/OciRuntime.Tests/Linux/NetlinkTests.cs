using System.Buffers.Binary;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Linux;

/// <summary>The wire format of netlink(7).</summary>
public sealed class NetlinkTests
{
    [Test]
    public void A_request_has_aligned_attributes_and_its_length()
    {
        NetlinkRequest request = new(new byte[64], 18, Netlink.NLM_F_ACK);
        request.Put(0x11223344);
        request.Attribute(3, "eth0");
        request.Attribute(28, 7);
        byte[] bytes = request.Finish(5).ToArray();
        bytes.Should().Equal(
            40, 0, 0, 0, 18, 0, 5, 0, 5, 0, 0, 0, 0, 0, 0, 0,
            0x44, 0x33, 0x22, 0x11,
            9, 0, 3, 0, (byte)'e', (byte)'t', (byte)'h', (byte)'0', 0, 0, 0, 0,
            8, 0, 28, 0, 7, 0, 0, 0);
    }

    [Test]
    public void Attributes_are_walked_and_never_beyond_the_message()
    {
        byte[] bytes = [5, 0, 1, 0x80, 42, 0, 0, 0, 8, 0, 2, 0, 1, 2, 3, 4];
        Walk(bytes).Should().Equal((1, "2A"), (2, "01020304"));
        // Every way to cut it off, and every length that a damaged header can claim.
        for (int length = 0; length < bytes.Length; length++) Walk(bytes[..length]).Count.Should().BeLessThan(2);
        for (int claimed = 0; claimed <= ushort.MaxValue; claimed++)
        {
            byte[] damaged = [.. bytes];
            BinaryPrimitives.WriteUInt16LittleEndian(damaged.AsSpan(8), (ushort)claimed);
            Walk(damaged).Count.Should().Be(claimed is >= 4 and <= 8 ? 2 : 1);
        }
    }

    [Test]
    public void The_kernel_answers()
    {
        using NetlinkSocket socket = NetlinkSocket.Open();
        NetworkLinks.Find(socket, "lo", out NetworkLink link).Should().Be(0);
        (link.Index, link.Name).Should().Be((1, "lo"));
        NetworkLinks.Find(socket, 1, out NetworkLink same).Should().Be(0);
        same.Should().Be(link);
        NetworkLinks.Find(socket, "no-such-dev", out _).Should().Be(-Errno.ENODEV);
        NetworkLinks.Addresses(socket, 1, out List<NetworkAddress> addresses).Should().Be(0);
        addresses.Select(address => address.ToString()).Should().Contain("127.0.0.1/8");
    }

    private static List<(int, string)> Walk(byte[] bytes)
    {
        List<(int, string)> found = [];
        NetlinkAttributes attributes = new(bytes);
        while (attributes.Next()) found.Add((attributes.Type, Convert.ToHexString(attributes.Value)));
        return found;
    }
}
