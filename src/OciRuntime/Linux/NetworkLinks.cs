using System.Net;
using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>A network device of a namespace.</summary>
/// <param name="Index">Its number there.</param>
/// <param name="Name">Its name there.</param>
/// <param name="Up">It is administratively up.</param>
internal readonly record struct NetworkLink(int Index, string Name, bool Up);

/// <summary>An address of a network device, in the parts that can be given to another one.</summary>
internal sealed class NetworkAddress
{
    public byte Family, PrefixLength, Scope;
    public uint Flags;
    public readonly List<(ushort Type, byte[] Value)> Attributes = [];

    /// <summary>Neither from DHCP nor from router advertisements.</summary>
    public bool IsPermanent => (Flags & NetworkLinks.IFA_F_PERMANENT) != 0;

    /// <summary>Address and prefix length as text.</summary>
    public override string ToString()
    {
        byte[]? address = Find(NetworkLinks.IFA_LOCAL) ?? Find(NetworkLinks.IFA_ADDRESS);
        return address is { Length: 4 or 16 } ? $"{new IPAddress(address)}/{PrefixLength}" : $"address of family {Family}";
    }

    private byte[]? Find(ushort type) => Attributes.Find(a => a.Type == type).Value;
}

/// <summary>What is asked of rtnetlink(7). All return 0 or a negated errno; the socket has the kernel's words.</summary>
internal static class NetworkLinks
{
    public const byte RT_SCOPE_UNIVERSE = 0;
    public const uint IFA_F_PERMANENT = 0x80;
    public const ushort IFA_ADDRESS = 1, IFA_LOCAL = 2;
    private const ushort RTM_NEWLINK = 16, RTM_GETLINK = 18, RTM_NEWADDR = 20, RTM_GETADDR = 22;
    private const ushort IFLA_IFNAME = 3, IFLA_NET_NS_FD = 28, IFLA_NEW_IFINDEX = 49;
    private const ushort IFA_BROADCAST = 4, IFA_FLAGS = 8, IFA_RT_PRIORITY = 9, IFA_PROTO = 11;
    private const uint IFF_UP = 1;

    // What an administrator sets: NODAD, HOMEADDRESS, MANAGETEMPADDR, NOPREFIXROUTE, MCAUTOJOIN. The others are the kernel's to set.
    private const uint SettableFlags = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;

    private const int BufferSize = 512, DumpAttempts = 10;

    /// <summary>Looks a device up by name; ENODEV when there is none.</summary>
    public static long Find(NetlinkSocket socket, string name, out NetworkLink link) => Find(socket, 0, name, out link);

    /// <summary>Looks a device up by number; ENODEV when there is none.</summary>
    public static long Find(NetlinkSocket socket, int index, out NetworkLink link) => Find(socket, index, null, out link);

    private static long Find(NetlinkSocket socket, int index, string? name, out NetworkLink link)
    {
        NetlinkRequest request = new(stackalloc byte[BufferSize], RTM_GETLINK, Netlink.NLM_F_ACK);
        request.Put(new LinkMessage { Index = index });
        if (name is not null) request.Attribute(IFLA_IFNAME, name);
        NetworkLink found = default;
        long result = socket.Execute(request, (type, body) =>
        {
            if (type != RTM_NEWLINK || body.Length < LinkMessage.Size) return;
            LinkMessage message = MemoryMarshal.Read<LinkMessage>(body);
            NetlinkAttributes attributes = new(body[LinkMessage.Size..]);
            while (attributes.Next())
            {
                if (attributes.Type == IFLA_IFNAME) found = new(message.Index, attributes.Text, (message.Flags & IFF_UP) != 0);
            }
        });
        link = found;
        return result < 0 ? result : found.Index > 0 ? 0 : -Errno.ENODEV;
    }

    /// <summary>The addresses of a device, of every family, in the kernel's order, which decides which one is the primary.</summary>
    public static long Addresses(NetlinkSocket socket, int index, out List<NetworkAddress> addresses)
    {
        List<NetworkAddress> found = [];
        long result = -Errno.EAGAIN;
        Span<byte> buffer = stackalloc byte[BufferSize];
        for (int attempt = 0; result == -Errno.EAGAIN && attempt < DumpAttempts; attempt++)
        {
            found.Clear();
            NetlinkRequest request = new(buffer, RTM_GETADDR, Netlink.NLM_F_DUMP);
            request.Put(new AddressMessage());
            result = socket.Execute(request, (type, body) =>
            {
                if (type == RTM_NEWADDR && body.Length >= AddressMessage.Size && MemoryMarshal.Read<AddressMessage>(body) is var message
                    && message.Index == index)
                {
                    found.Add(Read(message, body[AddressMessage.Size..]));
                }
            });
        }
        addresses = found;
        return result;
    }

    private static NetworkAddress Read(in AddressMessage message, ReadOnlySpan<byte> body)
    {
        NetworkAddress address =
            new() { Family = message.Family, PrefixLength = message.PrefixLength, Scope = message.Scope, Flags = message.Flags };
        NetlinkAttributes attributes = new(body);
        while (attributes.Next())
        {
            // The flags of the message itself are the lower 8 of these. A label would have to begin with the device's name, which may
            // change.
            if (attributes.Type == IFA_FLAGS && attributes.Value.Length == sizeof(uint))
                address.Flags = MemoryMarshal.Read<uint>(attributes.Value);
            else if (attributes.Type is IFA_ADDRESS or IFA_LOCAL or IFA_BROADCAST or IFA_RT_PRIORITY or IFA_PROTO)
                address.Attributes.Add((attributes.Type, attributes.Value.ToArray()));
        }
        return address;
    }

    /// <summary>
    /// Moves a device to another namespace under a name, which may end in "%d" for a number that makes it unique. It arrives down and
    /// without addresses.
    /// </summary>
    /// <param name="socket">In the namespace the device is in.</param>
    /// <param name="index">Its number there.</param>
    /// <param name="namespaceFd">The other namespace.</param>
    /// <param name="newIndex">Its number there, EBUSY if that is taken; 0 for one that the kernel chooses.</param>
    /// <param name="name">Its name there.</param>
    public static long Move(NetlinkSocket socket, int index, int namespaceFd, int newIndex, string name)
    {
        NetlinkRequest request = new(stackalloc byte[BufferSize], RTM_NEWLINK, Netlink.NLM_F_ACK);
        request.Put(new LinkMessage { Index = index });
        request.Attribute(IFLA_IFNAME, name);
        request.Attribute(IFLA_NET_NS_FD, namespaceFd);
        if (newIndex != 0) request.Attribute(IFLA_NEW_IFINDEX, newIndex);
        return socket.Execute(request);
    }

    public static long SetUp(NetlinkSocket socket, int index)
    {
        NetlinkRequest request = new(stackalloc byte[BufferSize], RTM_NEWLINK, Netlink.NLM_F_ACK);
        request.Put(new LinkMessage { Index = index, Flags = IFF_UP, Change = IFF_UP });
        return socket.Execute(request);
    }

    public static long AddAddress(NetlinkSocket socket, int index, NetworkAddress address)
    {
        NetlinkRequest request =
            new(stackalloc byte[BufferSize], RTM_NEWADDR, Netlink.NLM_F_ACK | Netlink.NLM_F_CREATE | Netlink.NLM_F_EXCL);
        request.Put(new AddressMessage
        {
            Family = address.Family,
            PrefixLength = address.PrefixLength,
            Scope = address.Scope,
            Index = index
        });
        foreach ((ushort type, byte[] value) in address.Attributes) request.Attribute(type, value);
        request.Attribute(IFA_FLAGS, (int)(address.Flags & SettableFlags));
        return socket.Execute(request);
    }

    /// <summary>struct ifinfomsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct LinkMessage
    {
        public const int Size = 16;

        public byte Family, Padding;
        public ushort Type;
        public int Index;
        public uint Flags, Change;
    }

    /// <summary>struct ifaddrmsg.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct AddressMessage
    {
        public const int Size = 8;

        public byte Family, PrefixLength, Flags, Scope;
        public int Index;
    }
}
