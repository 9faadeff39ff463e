using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>
/// A network and a mount namespace for engines that would change the host: their bridges, packet filters and what they leave in /run and
/// /var/lib are in there, and vanish with the last process in them. Files of /etc can be other ones inside.
/// </summary>
internal sealed class PrivateHost : IDisposable
{
    // Mounts are shared, as systemd makes them: engines rely on it for bind mounts with propagation.
    private const string SetUp = """
        set -eu
        mount --make-rshared /
        for hidden in /run /var/lib; do mount -t tmpfs tmpfs $hidden; done
        ip link set lo up
        while [ $# -gt 1 ]; do mount --bind "$1" "$2"; shift 2; done
        touch "$1"
        exec sleep infinity
        """;

    private readonly RunningCommand _holder;

    /// <summary>Makes the namespaces; each of the files, a path below /etc and its content, hides an existing one.</summary>
    public PrivateHost(string directory, params (string Path, string Content)[] files)
    {
        string ready = $"{directory}/ready";
        List<string> binds = [];
        foreach ((string path, string content) in files)
        {
            string source = $"{directory}/{System.IO.Path.GetFileName(path)}";
            File.WriteAllText(source, content);
            binds.AddRange([source, path]);
        }
        // unshare(1) becomes the shell, which becomes sleep: timeout's only child is in the namespaces.
        _holder = Command.Start(Requires.Tool("timeout"),
            ["--kill-after=5", Server.LifetimeSeconds.ToString(), "unshare", "--net", "--mount", "sh", "-c", SetUp, "sh", .. binds, ready],
            new CommandOptions { NewSession = true });
        if (!Eventually.Becomes(() => File.Exists(ready) || !_holder.IsRunning) || !_holder.IsRunning)
            throw new InvalidOperationException($"no namespaces: {_holder.Wait()}");
        File.Delete(ready);
    }

    /// <summary>A process inside.</summary>
    public int Pid => ProcessTree.ChildrenOf(_holder.Pid).Single();

    /// <summary>What to write after `nsenter` and before a command that is to run inside.</summary>
    public string[] Enter => ["--target", Pid.ToString(), "--net", "--mount"];

    /// <summary>Runs a command inside.</summary>
    public CommandResult Run(params string[] command) => Command.Run(Requires.Tool("nsenter"), [.. Enter, .. command]);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_holder.IsRunning)
        {
            _holder.Signal(15);
            _holder.Wait();
        }
        _holder.Dispose();
    }
}
