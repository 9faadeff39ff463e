using System.Text;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Shim;

/// <summary>
/// The mounts of which a container's root file system is made, in its bundle: containerd says which, the shim makes them.
/// </summary>
internal static class RootFilesystem
{
    // The layers of an overlay are id-mapped below the second, for as long as it takes to make the overlay.
    private const string Name = "rootfs", Layers = "layers";
    private const int BusyTries = 50, BusyMilliseconds = 50, UMOUNT_NOFOLLOW = 8;

    /// <summary>Mounts all of them, in their order. A failure leaves none.</summary>
    /// <exception cref="TaskError">An option that is not supported.</exception>
    /// <exception cref="OciException">The kernel refuses.</exception>
    public static void Mount(string bundle, List<RootfsMount> mounts)
    {
        if (mounts.Count == 0) return;
        string root = $"{bundle}/{Name}";
        // containerd makes it; CRI-O does not.
        long made = Files.MakeDirectoryAt(Files.AT_FDCWD, root, FileModes.PrivateDirectory);
        if (made != -Errno.EEXIST) OciException.Check(made, $"mkdir {root}");
        try
        {
            foreach (RootfsMount mount in mounts) Mount(bundle, mount);
        }
        catch
        {
            TryUnmountAll(bundle);
            throw;
        }
    }

    /// <summary>Unmounts all that is there, the last mount first.</summary>
    /// <exception cref="OciException">Something is in use for long.</exception>
    public static void UnmountAll(string bundle)
    {
        string directory = RealPath(bundle), root = $"{directory}/{Name}", layers = $"{directory}/{Layers}";
        List<MountEntry> mounts = MountTable.Read();
        for (int i = mounts.Count - 1; i >= 0; i--)
        {
            string point = mounts[i].Point;
            if (!ContainerPath.IsBelow(point, root) && !ContainerPath.IsBelow(point, layers)) continue;
            long result = Mounts.Unmount(point, UMOUNT_NOFOLLOW);
            for (int tries = 1; result == -Errno.EBUSY && tries < BusyTries; tries++)
            {
                Processes.Sleep(BusyMilliseconds);
                result = Mounts.Unmount(point, UMOUNT_NOFOLLOW);
            }
            // Somebody else has been faster.
            if (result is not (-Errno.EINVAL or -Errno.ENOENT)) OciException.Check(result, $"unmount {point}");
        }
    }

    /// <summary>The same where something else has failed already, which is what is told.</summary>
    public static void TryUnmountAll(string bundle)
    {
        try
        {
            UnmountAll(bundle);
        }
        catch (OciException e)
        {
            ShimLog.Warn(e.Message);
        }
    }

    /// <summary>As the mount table has it: engines name bundles by links, such as /var/run.</summary>
    private static string RealPath(string directory)
    {
        long opened = Files.OpenAt(Files.AT_FDCWD, directory, Files.O_PATH | Files.O_DIRECTORY);
        // Nothing is mounted in what is not there.
        if (opened < 0) return directory;
        using Fd fd = new((int)opened);
        return Files.PathOf(fd.Number, out _) ?? directory;
    }

    private static void Mount(string bundle, RootfsMount mount)
    {
        string root = $"{bundle}/{Name}", what = $"mount {mount.Type} {mount.Source} on {root}{mount.Target}";
        if (mount.Type.StartsWith("fuse.", StringComparison.Ordinal) || mount.Type.StartsWith("fuse3.", StringComparison.Ordinal))
            throw new TaskError(RpcCode.Unimplemented, $"{what}: a root file system that a program of its own mounts is not supported");
        List<string> words = [.. mount.Options];
        MountIdMap? ids = TakeIdMap(words, what);
        bool loop = words.Remove("loop"), direct = loop && words.Remove("direct-io");
        MountOptions options = MountOptions.Parse([.. words], mount.Type);
        Refuse(words, options, what);
        using MountIdMapper mapper = new();
        using Fd target = OpenBelow(root, mount.Target, what);
        if (options.Bind)
        {
            using Fd tree = Clone(mount.Source, options.Recursive, what);
            Change(tree, options.TreeSet, options.TreeClear, recursive: true, what);
            Change(tree, options.Set, options.Clear, recursive: false, what);
            if (ids is not null) mapper.Map(ids, tree.Number, what);
            OciException.Check(Mounts.Move(tree.Number, target.Number), what);
            return;
        }
        string source = mount.Source;
        using Fd? device = loop ? LoopDevices.Attach(source, (options.NewSet & Mounts.MOUNT_ATTR_RDONLY) != 0, direct, out source) : null;
        List<KeyValuePair<string, string?>> data = [.. options.Flags ?? [], .. options.Data ?? []];
        if (source.Length > 0) data.Insert(0, new("source", source));
        if ((options.NewSet & Mounts.MOUNT_ATTR_RDONLY) != 0) data.Add(new("ro", null));
        bool mapsLayers = ids is not null && mount.Type == "overlay";
        if (mapsLayers) MapLayers($"{bundle}/{Layers}", data, mapper, ids!, what);
        try
        {
            Make(mount, root, target, data, options.NewSet, ids is null || mapsLayers ? null : tree => mapper.Map(ids, tree, what), what);
        }
        finally
        {
            if (mapsLayers) LetLayersGo($"{bundle}/{Layers}");
        }
    }

    /// <summary>uidmap= and gidmap=, each a list of CONTAINER:HOST:SIZE; one alone is ignored, as by containerd.</summary>
    private static MountIdMap? TakeIdMap(List<string> words, string what)
    {
        IdMapping[] uids = Take("uidmap="), gids = Take("gidmap=");
        return uids.Length > 0 && gids.Length > 0 ? new(uids, gids, Recursive: false) : null;

        IdMapping[] Take(string key)
        {
            int index = words.FindIndex(word => word.StartsWith(key, StringComparison.Ordinal));
            if (index < 0) return [];
            string list = words[index][key.Length..];
            words.RemoveAt(index);
            return Array.ConvertAll(list.Split(','), Parse);
        }

        IdMapping Parse(string text) => text.Split(':') is [var inside, var outside, var count] && uint.TryParse(inside, out uint id)
            && uint.TryParse(outside, out uint host) && uint.TryParse(count, out uint size)
            ? new IdMapping { ContainerID = id, HostID = host, Size = size }
            : throw new TaskError(RpcCode.InvalidArgument, $"{what}: \"{text}\" is no CONTAINER:HOST:SIZE");
    }

    /// <summary>What means something here, but nothing to containerd.</summary>
    private static void Refuse(List<string> words, in MountOptions options, string what)
    {
        if (words.Find(static word => word.StartsWith("X-containerd.", StringComparison.Ordinal)) is { } unknown)
            throw new TaskError(RpcCode.Unimplemented, $"{what}: option {unknown}: what it asks for is not supported");
        if (options.Remount || options.IdMap is not null || options.CopyUp || options.CopySymlink || options.SourceNoFollow
            || options.TargetNoFollow || options.Propagation != 0)
        {
            throw new TaskError(RpcCode.Unimplemented,
                $"{what}: one of the options {string.Join(',', words)} is not supported for a root file system");
        }
    }

    /// <summary>Below the root the image says what is a link.</summary>
    private static Fd OpenBelow(string root, string target, string what)
    {
        using Fd top = Fd.Open(root, Files.O_PATH | Files.O_DIRECTORY, what);
        return Fd.Of(Files.OpenAt2(top.Number, target.Length == 0 ? "." : target, Files.O_PATH,
            Files.RESOLVE_IN_ROOT | Files.RESOLVE_NO_MAGICLINKS), what);
    }

    private static Fd Clone(string source, bool recursive, string what) => Fd.Of(
        Mounts.OpenTree(Files.AT_FDCWD, source, Mounts.OPEN_TREE_CLONE | (recursive ? (uint)Files.AT_RECURSIVE : 0)), what);

    private static void Change(Fd mount, ulong set, ulong clear, bool recursive, string what)
    {
        if ((set | clear) == 0) return;
        // The kernel takes a new access time mode only when the old one is cleared in the same call (mount_setattr(2)).
        if ((set & Mounts.MOUNT_ATTR__ATIME) != 0) clear |= Mounts.MOUNT_ATTR__ATIME;
        OciException.Check(Mounts.SetAttributes(mount.Number, new MountAttr { Set = set, Clear = clear }, recursive), what);
    }

    /// <summary>A new file system on the target.</summary>
    /// <param name="mount">What containerd asks for.</param>
    /// <param name="root">The root file system.</param>
    /// <param name="target">Below it.</param>
    /// <param name="data">Its options, the source among them.</param>
    /// <param name="attributes">Of the mount.</param>
    /// <param name="map">Maps the ids of the mount before anybody sees it; null where there is nothing to be mapped.</param>
    /// <param name="what">What is being done.</param>
    private static void Make(RootfsMount mount, string root, Fd target, List<KeyValuePair<string, string?>> data, ulong attributes,
        Action<int>? map, string what)
    {
        if (PlanCall(mount.Type, data, what) is not { } call)
        {
            using Fd made = Configure(mount.Type, data, attributes, what);
            map?.Invoke(made.Number);
            OciException.Check(Mounts.Move(made.Number, target.Number), what);
            return;
        }
        // Attached at once, and by that seen: but for an overlay, which is not mapped, nothing has options of such a length.
        if (map is not null) throw new TaskError(RpcCode.Unimplemented, $"{what}: ids cannot be mapped with options of such a length");
        MountByCall(call, mount.Type, $"/proc/self/fd/{target.Number}", what);
        // By its name once more, from the root on, which it may be: the descriptor is of what it covers.
        using Fd mounted = OpenBelow(root, mount.Target, what);
        Change(mounted, attributes, 0, recursive: false, what);
    }

    /// <summary>How mount(2) is told; null where fsconfig(2) will do.</summary>
    private static MountCallPlan? PlanCall(string type, List<KeyValuePair<string, string?>> data, string what)
    {
        try
        {
            return MountCallPlan.Build(type, data);
        }
        catch (FormatException e)
        {
            throw new TaskError(RpcCode.InvalidArgument, $"{what}: {e.Message}");
        }
    }

    private static Fd Configure(string type, List<KeyValuePair<string, string?>> data, ulong attributes, string what)
    {
        using Fd context = Fd.Of(Mounts.FsOpen(type), what);
        foreach ((string key, string? value) in data)
        {
            Check(value is null ? Mounts.FsConfigFlag(context.Number, key) : Mounts.FsConfigString(context.Number, key, value));
        }
        Check(Mounts.FsCreate(context.Number));
        return Fd.Of(Mounts.FsMount(context.Number, attributes), what);

        void Check(long result)
        {
            if (result >= 0) return;
            string words = Mounts.ReadMessage(context.Number);
            OciException.Check(result, words.Length > 0 ? $"{what}: {VisibleText.Line(words)}" : what);
        }
    }

    /// <summary>
    /// More layers than there is room for their names are named by their descriptors, from a working directory of this thread's own.
    /// </summary>
    private static void MountByCall(MountCallPlan call, string type, string target, string what)
    {
        StringBuilder text = new(call.Pieces[0]);
        List<Fd> directories = [];
        try
        {
            foreach (string path in call.Directories)
            {
                directories.Add(Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY, $"{what}: open {path}"));
                text.Append(directories[^1].Number).Append(call.Pieces[directories.Count]);
            }
            if (directories.Count > 0) ChangeDirectory("/proc/self/fd", what);
            long result = Mounts.Mount(call.Source ?? type, target, type, call.Flags, text.ToString());
            if (directories.Count > 0) ChangeDirectory("/", what);
            OciException.Check(result, what);
        }
        finally
        {
            directories.ForEach(static directory => directory.Dispose());
        }
    }

    private static void ChangeDirectory(string path, string what)
    {
        const ulong CLONE_FS = 0x200;
        OciException.Check(Processes.Unshare(CLONE_FS), $"{what}: a working directory of this thread's own");
        using Fd directory = Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY, what);
        OciException.Check(Files.ChangeDirectory(directory.Number), what);
    }

    /// <summary>
    /// An overlay cannot be id-mapped, but its layers can: copies of them are, at places of their own, which the options name then. The
    /// overlay keeps copies of those.
    /// </summary>
    private static void MapLayers(string places, List<KeyValuePair<string, string?>> data, MountIdMapper mapper, MountIdMap ids,
        string what)
    {
        long made = Files.MakeDirectoryAt(Files.AT_FDCWD, places, FileModes.PrivateDirectory);
        if (made != -Errno.EEXIST) OciException.Check(made, $"{what}: mkdir {places}");
        try
        {
            // All that is mounted and made in it goes with it.
            using (Fd top = Configure("tmpfs", [new("source", Layers), new("mode", "700")], 0, what))
            using (Fd place = Fd.Open(places, Files.O_PATH | Files.O_DIRECTORY, what))
            {
                OciException.Check(Mounts.Move(top.Number, place.Number), what);
            }
            int count = 0;
            for (int i = 0; i < data.Count; i++)
            {
                if (data[i].Key is not ("lowerdir" or "lowerdir+" or "datadir+") || data[i].Value is not { } list) continue;
                data[i] = new(data[i].Key, string.Join(':', Array.ConvertAll(list.Split(':'),
                    layer => layer.Length == 0 ? "" : MapLayer(layer, $"{places}/{count++}"))));
            }
        }
        catch
        {
            LetLayersGo(places);
            throw;
        }

        string MapLayer(string layer, string path)
        {
            OciException.Check(Files.MakeDirectoryAt(Files.AT_FDCWD, path, FileModes.PrivateDirectory), $"{what}: mkdir {path}");
            using Fd tree = Clone(layer, recursive: false, $"{what}: {layer}"),
                place = Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY, what);
            mapper.Map(ids, tree.Number, $"{what}: {layer}");
            OciException.Check(Mounts.Move(tree.Number, place.Number), $"{what}: {layer}");
            return path;
        }
    }

    private static void LetLayersGo(string places)
    {
        long result = Mounts.Unmount(places, Mounts.MNT_DETACH | UMOUNT_NOFOLLOW);
        // The first thing that was to be mounted may have failed.
        if (result is < 0 and not -Errno.EINVAL) ShimLog.Warn($"unmount {places}: {ErrnoText.Full((int)-result)}");
        // An empty directory, which goes with the bundle.
        Files.UnlinkAt(Files.AT_FDCWD, places, Files.AT_REMOVEDIR);
    }
}
