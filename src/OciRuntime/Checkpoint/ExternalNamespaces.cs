using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Namespaces that the container has joined, by a path in its configuration: they are not its own to save, and restore joins them again.
/// </summary>
internal static class ExternalNamespaces
{
    /// <summary>
    /// Those that criu itself can treat as a thing of the outside, with runc's names for them; others it joins by their path.
    /// </summary>
    private static readonly (string Type, string File, string Name)[] ByKey = [("network", "net", "extRootNetNS"),
        ("pid", "pid", "extRootPidNS")];

    /// <summary>Tells criu not to save them.</summary>
    /// <param name="spec">The configuration.</param>
    /// <param name="pid">The container's first process; the path in the configuration may lead elsewhere by now.</param>
    /// <param name="options">The request.</param>
    public static void Dump(RuntimeSpec spec, int pid, CriuOptions options)
    {
        // As with runc: devices and addresses are whoever's who made them, also where the namespace is the container's own.
        options.Set(CriuOption.EmptyNamespaces, (long)Processes.CLONE_NEWNET);
        foreach ((string type, string file, string name) in ByKey)
        {
            if (PathOf(spec, type) is null) continue;
            OciException.Check(Files.StatAt(Files.AT_FDCWD, $"/proc/{pid}/ns/{file}", 0, out Statx stat),
                $"look at the {type} namespace of process {pid}");
            options.Set(CriuOption.External, $"{file}[{stat.Inode}]:{name}");
        }
    }

    /// <summary>The descriptors that criu needs for them, with their names there. The caller closes them.</summary>
    public static List<(string Name, Fd Fd)> Open(RuntimeSpec spec)
    {
        List<(string, Fd)> opened = [];
        foreach ((string type, _, string name) in ByKey)
        {
            if (PathOf(spec, type) is not { } path) continue;
            opened.Add((name, Fd.Open(path, Files.O_RDONLY, $"/linux/namespaces: {type} {path}")));
        }
        return opened;
    }

    /// <summary>Tells criu what becomes of the network, and to join the other ones by their paths.</summary>
    /// <exception cref="OciException">criu cannot join a cgroup namespace.</exception>
    public static void Join(RuntimeSpec spec, CriuOptions options)
    {
        // criu would lock a network before it goes on with it. One that was joined has kept the lock of the dump, by the same name: criu
        // from 4.1 on fails there (its issue 3135), and older ones lock a second time what they unlock once.
        if (PathOf(spec, "network") is null) options.Set(CriuOption.EmptyNamespaces, (long)Processes.CLONE_NEWNET);
        LinuxNamespace[] namespaces = spec.Linux?.Namespaces ?? [];
        for (int i = 0; i < namespaces.Length; i++)
        {
            if (string.IsNullOrEmpty(namespaces[i].Path) || Array.Exists(ByKey, k => k.Type == namespaces[i].Type)) continue;
            if (namespaces[i].Type is "cgroup" or "mount")
            {
                throw new OciException(
                    $"/linux/namespaces/{i}: criu cannot restore a container into a joined {namespaces[i].Type} namespace");
            }
            options.Add(CriuOption.JoinNamespace, namespaces[i].Type, namespaces[i].Path!);
        }
    }

    private static string? PathOf(RuntimeSpec spec, string type) =>
        Array.Find(spec.Linux?.Namespaces ?? [], n => n.Type == type) is { Path.Length: > 0 } found ? found.Path : null;
}
