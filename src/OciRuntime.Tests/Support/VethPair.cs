namespace OciRuntime.Tests.Support;

/// <summary>
/// Two connected virtual network devices of the host, both down and without addresses. The end of one is the end of the other.
/// </summary>
public sealed class VethPair : IDisposable
{
    /// <summary>Makes a pair whose names no other test run has.</summary>
    public VethPair()
    {
        // 15 bytes at most: a pid has up to 7 digits.
        string stem = $"oct{Environment.ProcessId}n{TestRun.NextNumber() % 1000}";
        (Name, Peer) = ($"{stem}a", $"{stem}b");
        Ip("link", "add", Name, "type", "veth", "peer", "name", Peer).ShouldSucceed();
        Index = int.Parse(File.ReadAllText($"/sys/class/net/{Name}/ifindex"));
    }

    /// <summary>The one that is given away.</summary>
    public string Name { get; }

    /// <summary>The other.</summary>
    public string Peer { get; }

    /// <summary>Whether the first one is in the tests' namespace.</summary>
    public bool Exists => Directory.Exists($"/sys/class/net/{Name}");

    /// <summary>The first one's number on the host.</summary>
    public int Index { get; }

    /// <summary>ip(8).</summary>
    public static CommandResult Ip(params string[] args) => Command.Run(Requires.Tool("ip"), args);

    /// <summary>Number, state, MTU and addresses of the first one, but for what the kernel makes of it with time.</summary>
    public string Describe() =>
        string.Join('\n', Ip("-o", "addr", "show", "dev", Name)
        .ShouldSucceed().Lines.Where(line => !line.Contains("fe80:", StringComparison.Ordinal)))
        + Ip("-o", "link", "show", "dev", Name).ShouldSucceed().Stdout.Split(" qdisc")[0];

    /// <inheritdoc/>
    public void Dispose()
    {
        // The kernel may be about to destroy it with a container's namespace.
        if (Directory.Exists($"/sys/class/net/{Peer}")) Ip("link", "del", Peer);
        Eventually.True(() => !Exists && !Directory.Exists($"/sys/class/net/{Peer}"), $"{Name} and {Peer} are gone");
    }
}
