using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Network devices of the host that move into the container (runtime-spec config-linux.md, "Network Devices"), and back when the launch
/// fails: the end of the container's namespace would give physical devices back under their new names, and destroy virtual ones.
/// </summary>
internal sealed class NetworkDevices : IDisposable
{
    private readonly Fd _hostNamespace, _containerNamespace;
    private readonly NetlinkSocket _host, _container;
    private readonly List<MovedDevice> _moved = [];

    /// <param name="pid">A process in the container's network namespace.</param>
    public NetworkDevices(int pid)
    {
        _hostNamespace = Open("/proc/thread-self/ns/net");
        // Held by descriptor and by the socket inside: what is in it can still be taken back when the process is gone.
        _containerNamespace = Open($"/proc/{pid}/ns/net");
        _host = NetlinkSocket.Open();
        _container = OpenInside();
    }

    /// <summary>Moves a device, gives it its permanent global addresses back, which it loses on the way, and brings it up.</summary>
    /// <param name="name">Its name on the host.</param>
    /// <param name="device">Its name in the container.</param>
    /// <exception cref="OciException">Not possible; what was moved so far waits for <see cref="MoveBack"/>.</exception>
    public void Move(string name, NetDevice device)
    {
        string pointer = Pointer(name);
        string wanted = device.NameInside(name);
        long found = NetworkLinks.Find(_host, name, out NetworkLink link);
        if (found == -Errno.ENODEV)
            throw new OciException($"{pointer}: the runtime's network namespace has no device {name}", Errno.ENODEV);
        Check(found, _host, $"{pointer}: look up {name}");
        RefuseTaken(pointer, name, wanted);
        Check(NetworkLinks.Addresses(_host, link.Index, out List<NetworkAddress> addresses), _host,
            $"{pointer}: list the addresses of {name}");
        MovedDevice moved = new(link, FreeIndex(link.Index), addresses);
        long result = NetworkLinks.Move(_host, link.Index, _containerNamespace.Number, moved.Index, wanted);
        string words = _host.Explanation;
        // A request whose last part fails, the renaming, has moved the device all the same.
        if (result >= 0 || NetworkLinks.Find(_host, link.Index, out _) == -Errno.ENODEV) _moved.Add(moved);
        if (result < 0) throw Failure(result, words, $"{pointer}: move {name} into the container as {wanted}", Hint(result));
        foreach (NetworkAddress address in addresses)
        {
            // Others belong to the network the device was in (RFC 3549, section 2.3.3.2).
            if (!address.IsPermanent || address.Scope != NetworkLinks.RT_SCOPE_UNIVERSE) continue;
            Check(NetworkLinks.AddAddress(_container, moved.Index, address), _container,
                $"{pointer}: give {name} in the container its address {address}");
        }
        Check(NetworkLinks.SetUp(_container, moved.Index), _container, $"{pointer}: bring {name} up in the container");
    }

    /// <summary>The same in words, for all devices.</summary>
    public static List<RuntimeAction> Words(SpecMap<NetDevice> devices)
    {
        List<RuntimeAction> words = [];
        foreach (KeyValuePair<string, NetDevice> device in devices)
        {
            string target = device.Value.NameInside(device.Key), renamed = target == device.Key ? "" : $" as {target}";
            words.Add(new(
                $"move the network device {device.Key} into the container{renamed}, with its permanent global addresses, and bring it up",
                Pointer(device.Key)));
        }
        return words;
    }

    /// <summary>Where config.json has a device.</summary>
    internal static string Pointer(string name) => new Origin("/linux/netDevices", Member: name).ToString();

    /// <summary>Brings the loopback interface up; its number is 1 in every namespace.</summary>
    public void RaiseLoopback() => Check(NetworkLinks.SetUp(_container, 1), _container, "bring the loopback interface up in the container");

    /// <summary>The launch failed: the host gets its devices back as they were, but for routes.</summary>
    /// <param name="warn">Takes what cannot be undone.</param>
    public void MoveBack(Action<string> warn)
    {
        foreach (MovedDevice moved in _moved)
        {
            string name = moved.Link.Name;
            long result = NetworkLinks.Move(_container, moved.Index, _hostNamespace.Number, moved.Link.Index, name);
            // Somebody has taken its number meanwhile; any other will do.
            if (result == -Errno.EBUSY) result = NetworkLinks.Move(_container, moved.Index, _hostNamespace.Number, 0, name);
            if (result >= 0)
            {
                result = NetworkLinks.Find(_host, name, out NetworkLink back) is var found and < 0 ? found
                    : Restore(moved, back.Index);
            }
            if (result < 0) warn($"network device {name} is not back as it was: {ErrnoText.Full((int)-result)}");
        }
        _moved.Clear();
    }

    private long Restore(MovedDevice moved, int index)
    {
        long result = 0;
        foreach (NetworkAddress address in moved.Addresses)
        {
            if (!address.IsPermanent) continue;
            long added = NetworkLinks.AddAddress(_host, index, address);
            if (added < 0 && added != -Errno.EEXIST) result = added;
        }
        return moved.Link.Up && NetworkLinks.SetUp(_host, index) is var up and < 0 ? up : result;
    }

    private void RefuseTaken(string pointer, string name, string wanted)
    {
        if (wanted.Contains('%') || NetworkLinks.Find(_container, wanted, out _) < 0) return;
        throw new OciException(
            $"{pointer}: move {name} into the container: its network namespace has a device {wanted} already: file exists (EEXIST)",
            Errno.EEXIST);
    }

    /// <summary>
    /// A number that is free in the container, the device's own if possible: with it the device is found there whatever its name becomes.
    /// </summary>
    private int FreeIndex(int index)
    {
        while (NetworkLinks.Find(_container, index, out _) == 0) index++;
        return index;
    }

    /// <summary>A socket belongs to the namespace of the thread that makes it; this thread goes there and comes back.</summary>
    private NetlinkSocket OpenInside()
    {
        OciException.Check(Processes.SetNamespace(_containerNamespace.Number, Processes.CLONE_NEWNET),
            "/linux/netDevices: enter the container's network namespace");
        try
        {
            return NetlinkSocket.Open();
        }
        finally
        {
            OciException.Check(Processes.SetNamespace(_hostNamespace.Number, Processes.CLONE_NEWNET), "return to own network namespace");
        }
    }

    private static Fd Open(string path) => Fd.Open(path, Files.O_RDONLY, $"/linux/netDevices: open {path}");

    private static void Check(long result, NetlinkSocket socket, string doing)
    {
        if (result < 0) throw Failure(result, socket.Explanation, doing, "");
    }

    private static OciException Failure(long result, string words, string doing, string hint)
    {
        OciException plain = OciException.FromResult(result, doing);
        return words.Length == 0 && hint.Length == 0 ? plain
            : new OciException($"{plain.Message}{(words.Length == 0 ? "" : ": " + words)}{hint}", plain.Errno);
    }

    private static string Hint(long result) =>
        result == -Errno.EPERM && (!Host.HostFacts.Probe().Has(Credentials.CAP_NET_ADMIN) || Host.UserNamespace.IsNested())
        ? ": it takes CAP_NET_ADMIN over the network namespace the device is in" : "";

    /// <summary>What has been moved stays.</summary>
    public void Dispose()
    {
        _moved.Clear();
        _host.Dispose();
        _container.Dispose();
        _hostNamespace.Dispose();
        _containerNamespace.Dispose();
    }

    /// <param name="Link">The device as it was on the host.</param>
    /// <param name="Index">Its number in the container.</param>
    /// <param name="Addresses">All it had.</param>
    private sealed record MovedDevice(NetworkLink Link, int Index, List<NetworkAddress> Addresses);
}
