using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Counters of one network interface, as its own network namespace sees them.</summary>
internal readonly record struct NetworkCounters(string Name, ulong RxBytes, ulong RxPackets, ulong RxErrors, ulong RxDropped, ulong TxBytes,
    ulong TxPackets, ulong TxErrors, ulong TxDropped)
{
    // A container may make as many interfaces as it likes.
    private const int MaxBytes = 1 << 20;

    /// <summary>The interfaces of another process's network namespace but for the loopback; none when it shares the caller's.</summary>
    public static List<NetworkCounters> Of(int pid)
    {
        string theirs = $"/proc/{pid}/ns/net";
        if (Files.ReadLink(theirs) is not { } link || link == Files.ReadLink("/proc/self/ns/net")) return [];
        byte[]? text = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{pid}/net/dev", MaxBytes, out _);
        return text is null ? [] : Parse(Encoding.UTF8.GetString(text));
    }

    /// <summary>/proc/net/dev: two lines of header, then "name: 8 numbers received, 8 numbers sent" (proc_pid_net(5)).</summary>
    internal static List<NetworkCounters> Parse(string text)
    {
        List<NetworkCounters> found = [];
        foreach (string line in text.Split('\n'))
        {
            // Names have no colon (dev_valid_name()).
            int colon = line.IndexOf(':');
            if (colon < 0) continue;
            // Padded with blanks on the left. All else belongs to the name, whatever it is.
            string name = line[..colon].TrimStart(' ');
            string[] words = line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (name == "lo" || words.Length < 16) continue;
            ulong[] n = Array.ConvertAll(words, static word => ulong.TryParse(word, NumberStyles.None, null, out ulong value) ? value : 0);
            found.Add(new NetworkCounters(name, n[0], n[1], n[2], n[3], n[8], n[9], n[10], n[11]));
        }
        return found;
    }
}
