using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>
/// One Podman for all classes here, as root, in a network and a mount namespace of its own: its bridges and packet filter rules, its files
/// in /run and /dev/shm, and what the tests write to /etc never reach the host.
/// </summary>
[SetUpFixture]
public sealed class PodmanHost
{
    private const int LifetimeSeconds = 900;
    private static RunningCommand? s_namespaces;

    internal static ClientHost Client { get; private set; } = null!;

    /// <summary>Makes the namespaces and the image `bb`.</summary>
    [OneTimeSetUp]
    public void Prepare()
    {
        Client = new ClientHost("podman");
        string directory = Client.Directory;
        foreach (string name in (string[])["etc", "work"]) Directory.CreateDirectory($"{directory}/{name}");
        // An overlay, because a file bound over /etc/subuid goes away when somebody else's useradd replaces the file below.
        string ready = $"{directory}/ready";
        s_namespaces = Command.Start(Requires.Tool("unshare"), ["--net", "--mount", "--propagation=private", "sh", "-ec", $"""
            ip link set lo up
            mount -t tmpfs tmpfs /run -o mode=755
            mount -t tmpfs tmpfs /dev/shm
            [ ! -d /var/lib/containers ] || mount -t tmpfs tmpfs /var/lib/containers
            mount -t overlay overlay /etc -o lowerdir=/etc,upperdir={directory}/etc,workdir={directory}/work
            for file in subuid subgid; do echo containers:2000000:65536 >/etc/$file; done
            # Since Podman 5.8 not for somebody who does not exist.
            echo containers:x:61235:61235::/:/bin/false >>/etc/passwd
            echo >{ready}
            exec sleep {LifetimeSeconds}
            """], new CommandOptions { NewSession = true });
        Eventually.True(() => File.Exists(ready) || !s_namespaces.IsRunning, "the namespaces");
        if (!s_namespaces.IsRunning) throw new InvalidOperationException($"no namespaces: {s_namespaces.Stderr}");
        Client.NamespacesOf = s_namespaces.Pid;
        WriteConfiguration($"{directory}/containers.conf");
        Client.Environment["CONTAINERS_CONF"] = $"{directory}/containers.conf";
        Client.GlobalOptions.AddRange(["--root", $"{directory}/r", "--runroot", $"{directory}/rr", "--tmpdir", $"{directory}/t",
            "--storage-driver", "vfs"]);
        ClientImage.WriteRootfs($"{directory}/bb.tar");
        Client.Run("import", "-q", $"{directory}/bb.tar", "bb").ShouldSucceed();
    }

    /// <summary>Podman's configuration here, with the runtime under test under its own name, as an administrator would set it up.</summary>
    /// <param name="path">The file.</param>
    /// <param name="engine">More lines for the section `engine`, in place of those that choose the runtime.</param>
    internal static void WriteConfiguration(string path, string? engine = null) => File.WriteAllText(path, $"""
        {ClientHost.ContainersSection}
        [network]
        network_backend = "netavark"
        network_config_dir = "{Client.Directory}/networks"
        [engine]
        cgroup_manager = "cgroupfs"
        events_logger = "file"
        {engine ?? $"""
            runtime = "under-test"
            runtime_supports_json = ["under-test"]
            [engine.runtimes]
            under-test = ["{Ocirun.Binary.Path}"]
            """}

        """);

    /// <summary>Ends the namespaces, and with them every mount and device in them.</summary>
    [OneTimeTearDown]
    public void End()
    {
        s_namespaces?.Dispose();
        Client?.Dispose();
    }
}
