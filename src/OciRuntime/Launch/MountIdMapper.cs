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
internal sealed unsafe class MountIdMapper : IDisposable
{
    // Mounts with the same map share a namespace.
    private readonly List<(MountIdMap Map, Fd Namespace)> _made = [];
    private Fd? _containers;

    /// <summary>Maps the ids of a detached mount.</summary>
    /// <param name="step">The bind mount.</param>
    /// <param name="mount">Descriptor of the mount.</param>
    /// <param name="child">The child, whose user namespace is the container's.</param>
    /// <exception cref="OciException">The kernel refuses; the message says why.</exception>
    public void Map(PlanStep step, int mount, int child)
    {
        MountIdMap map = step.IdMap!;
        int userNamespace = (map.IsContainers ? _containers ??= Open(child, step.Origin) : Find(map, step.Origin)).Number;
        long result = Mounts.SetAttributes(mount, new MountAttr { Set = Mounts.MOUNT_ATTR_IDMAP, UserNamespace = (ulong)userNamespace }, map.Recursive);
        if (result < 0) throw new OciException($"{step.Origin}: {StepText.Describe(step)}: map ids: {ErrnoText.Describe((int)-result)} ({ErrnoText.Name((int)-result)}){Hint((int)-result, mount)}", (int)-result);
    }

    private Fd Find(MountIdMap map, Origin origin)
    {
        foreach ((MountIdMap made, Fd found) in _made)
        {
            if (IdMap.Text(made.Uids) == IdMap.Text(map.Uids) && IdMap.Text(made.Gids) == IdMap.Text(map.Gids)) return found;
        }
        Fd created = Create(map, origin);
        _made.Add((map, created));
        return created;
    }

    /// <summary>A user namespace with these maps; the process it takes to make one is gone when this returns.</summary>
    private static Fd Create(MountIdMap map, Origin origin)
    {
        int* pipe = stackalloc int[2];
        OciException.Check(Files.Pipe(pipe, 0), "pipe");
        using Fd readEnd = new(pipe[0]), writeEnd = new(pipe[1]);
        long pid = Processes.Clone(new CloneArgs { Flags = Processes.CLONE_NEWUSER, ExitSignal = Processes.SIGCHLD });
        if (pid == 0) NamespaceHolder.Run(readEnd.Number, writeEnd.Number);
        OciException.Check(pid, $"{origin}: make a user namespace");
        try
        {
            IdMapper.WriteFile((int)pid, "uid_map", IdMap.Text(map.Uids), $"{origin}/uidMappings");
            IdMapper.WriteFile((int)pid, "gid_map", IdMap.Text(map.Gids), $"{origin}/gidMappings");
            return Open((int)pid, origin);
        }
        finally
        {
            writeEnd.Dispose();
            while (Processes.Wait((int)pid, out _, 0) == -Errno.EINTR) { }
        }
    }

    private static Fd Open(int pid, Origin origin) =>
        new((int)OciException.Check(Files.OpenAt(Files.AT_FDCWD, $"/proc/{pid}/ns/user", Files.O_RDONLY), $"{origin}: open the user namespace"));

    private static string Hint(int errno, int mount) => errno switch
    {
        Errno.EINVAL => $": {FileSystemOf(mount)} cannot be id-mapped by this kernel",
        Errno.EPERM => ": it takes CAP_SYS_ADMIN in the user namespace that owns the file system, and a source that is not id-mapped already",
        _ => "",
    };

    /// <summary>The type of a file system by its device number, which other mounts of it have, too.</summary>
    private static string FileSystemOf(int mount)
    {
        string? type = Files.Stat(mount, out Statx stat) < 0 ? null : MountTable.Read().Find(m => m.Device == $"{stat.DevMajor}:{stat.DevMinor}").Type;
        return type == null ? "its file system" : $"a file system of type {type}";
    }

    public void Dispose()
    {
        _containers?.Dispose();
        foreach ((_, Fd made) in _made) made.Dispose();
    }
}
