using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// Sets the id mapping of bind mounts that the child has cloned but not yet attached. The child finds the source, in the container's mount
/// namespace; the parent maps, as the kernel asks for CAP_SYS_ADMIN in the user namespace of the file system, which is mostly the host's
/// (mount_setattr(2), "ID-mapped mounts").
/// </summary>
internal sealed class MountIdMapper : IDisposable
{
    // Mounts with the same map share a namespace.
    private readonly List<(MountIdMap Map, Fd Namespace)> _made = [];
    private Fd? _containers;

    /// <summary>Maps the ids of a detached mount.</summary>
    /// <param name="step">The bind mount.</param>
    /// <param name="mount">Descriptor of the mount.</param>
    /// <param name="child">The child, whose user namespace is the container's.</param>
    /// <exception cref="OciException">The kernel refuses; the message says why.</exception>
    public void Map(MountBindStep step, int mount, int child)
    {
        MountIdMap map = step.IdMap!;
        Fd user = map.IsContainers ? _containers ??= Open(child, $"{step.Origin}") : Find(map, $"{step.Origin}", $"{step.Origin}/");
        Map(user, map.Recursive, mount, $"{step.Origin}: {step.Describe()}");
    }

    /// <summary>The same for a mount that is no container's step.</summary>
    /// <param name="map">Has ids of its own.</param>
    /// <param name="mount">Descriptor of the mount.</param>
    /// <param name="what">What is being done, for the message.</param>
    /// <exception cref="OciException">As above.</exception>
    public void Map(MountIdMap map, int mount, string what) => Map(Find(map, what, $"{what}: "), map.Recursive, mount, what);

    private static void Map(Fd user, bool recursive, int mount, string what)
    {
        MountAttr attributes = new() { Set = Mounts.MOUNT_ATTR_IDMAP, UserNamespace = (ulong)user.Number };
        int errno = (int)-Mounts.SetAttributes(mount, attributes, recursive);
        if (errno > 0) throw new OciException($"{what}: map ids: {ErrnoText.Full(errno)}{Hint(errno, mount)}", errno);
    }

    private Fd Find(MountIdMap map, string what, string properties)
    {
        foreach ((MountIdMap made, Fd found) in _made)
        {
            if (IdMap.Text(made.Uids) == IdMap.Text(map.Uids) && IdMap.Text(made.Gids) == IdMap.Text(map.Gids)) return found;
        }
        Fd created = Create(map, what, properties);
        _made.Add((map, created));
        return created;
    }

    /// <summary>A user namespace with these maps; the process it takes to make one is gone when this returns.</summary>
    private static Fd Create(MountIdMap map, string what, string properties)
    {
        using Pipe pipe = new();
        long pid = NamespaceHolder.Clone(Processes.CLONE_NEWUSER, pipe.Reader.Number, pipe.Writer.Number);
        OciException.Check(pid, $"{what}: make a user namespace");
        try
        {
            IdMapper.WriteFile((int)pid, "uid_map", IdMap.Text(map.Uids), $"{properties}uidMappings");
            IdMapper.WriteFile((int)pid, "gid_map", IdMap.Text(map.Gids), $"{properties}gidMappings");
            return Open((int)pid, what);
        }
        finally
        {
            pipe.Writer.Dispose();
            // It ends with the pipe, and nobody else waits for it.
            Processes.Reap((int)pid, out _);
        }
    }

    private static Fd Open(int pid, string what) => Fd.Open($"/proc/{pid}/ns/user", Files.O_RDONLY, $"{what}: open the user namespace");

    private static string Hint(int errno, int mount) => errno switch
    {
        Errno.EINVAL => $": {FileSystemOf(mount)} cannot be id-mapped by this kernel",
        Errno.EPERM =>
            ": it takes CAP_SYS_ADMIN in the user namespace that owns the file system, and a source that is not id-mapped already",
        _ => "",
    };

    /// <summary>The type of a file system by its device number, which other mounts of it have, too.</summary>
    private static string FileSystemOf(int mount)
    {
        string? type = Files.Stat(mount, out Statx stat) < 0 ? null
            : MountTable.Read().Find(m => m.Device == $"{stat.DevMajor}:{stat.DevMinor}").Type;
        return type is null ? "its file system" : $"a file system of type {type}";
    }

    public void Dispose()
    {
        _containers?.Dispose();
        foreach ((_, Fd made) in _made) made.Dispose();
    }
}
