using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Verify;

/// <summary>The devices that were moved into the container's network namespace, by the names that /proc/PID/net/dev has.</summary>
internal static class NetworkProof
{
    public static void Add(Report report, Subject subject)
    {
        SpecMap<NetDevice> devices = subject.Spec.Linux!.NetDevices;
        if (devices.Count == 0) return;
        string[]? there = Names(subject.Init.Text("net/dev", out long error));
        foreach (KeyValuePair<string, NetDevice> device in devices)
        {
            string name = device.Value.NameInside(device.Key);
            report.Add("network devices", NetworkDevices.Pointer(device.Key), name,
                there is null ? Seen.Unchecked(ErrnoText.Full((int)-error))
                : Array.Exists(there, one => Is(one, name)) ? Seen.Held
                // Its other end may have been removed, which removes this one; and who runs there may rename it.
                : Subject.Other(!subject.IsWaiting, "there is no device of this name"));
        }
    }

    /// <summary>Two lines of heads; then a line a device, whose name ends at the colon, which it cannot have (dev_valid_name()).</summary>
    private static string[]? Names(string? table) =>
        table is null ? null : [.. table.Split('\n').Skip(2).Select(static line => line.Split(':')[0].Trim())];

    /// <summary>The kernel has put a number for "%d".</summary>
    private static bool Is(string name, string wanted)
    {
        int number = wanted.IndexOf("%d", StringComparison.Ordinal);
        return number < 0 ? name == wanted
            : name.Length > number && name.StartsWith(wanted[..number], StringComparison.Ordinal) && name[number..].All(char.IsAsciiDigit);
    }
}
