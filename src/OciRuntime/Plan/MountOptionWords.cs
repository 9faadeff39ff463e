using static OciRuntime.Linux.Mounts;

namespace OciRuntime.Plan;

/// <summary>What a mount option does.</summary>
internal enum MountEffect
{
    /// <summary>Nothing, not even that the options are about the mount itself.</summary>
    None,

    /// <summary>It is about the mount, and has no effect on it.</summary>
    Inert,

    /// <summary>Sets and clears attributes of the mount.</summary>
    Attribute,

    /// <summary>Changes the propagation.</summary>
    Propagation,

    /// <summary>Sets a flag of the superblock.</summary>
    Superblock,
    Bind,
    Remount,
    CopyUp,
    SourceNoFollow,
    TargetNoFollow,
    CopySymlink,
    IdMap,
}

/// <summary>The mount options with a meaning of their own; all others are the file system's.</summary>
internal static class MountOptionWords
{
    private static readonly MountWord[] Table =
    [
        new("defaults", MountEffect.None),
        // iversion is up to each file system since Linux 6.1, and fsconfig(2) has no word for it; silent is about the kernel's log.
        new("silent", MountEffect.Inert), new("loud", MountEffect.Inert), new("iversion", MountEffect.Inert),
        new("noiversion", MountEffect.Inert),
        new("sync", MountEffect.Superblock), new("async", MountEffect.Superblock), new("dirsync", MountEffect.Superblock),
        new("lazytime", MountEffect.Superblock),
        new("nolazytime", MountEffect.Superblock), new("mand", MountEffect.Superblock), new("nomand", MountEffect.Superblock),
        new("ro", MountEffect.Attribute, MOUNT_ATTR_RDONLY), new("rw", MountEffect.Attribute, 0, MOUNT_ATTR_RDONLY),
        new("nosuid", MountEffect.Attribute, MOUNT_ATTR_NOSUID), new("suid", MountEffect.Attribute, 0, MOUNT_ATTR_NOSUID),
        new("nodev", MountEffect.Attribute, MOUNT_ATTR_NODEV), new("dev", MountEffect.Attribute, 0, MOUNT_ATTR_NODEV),
        new("noexec", MountEffect.Attribute, MOUNT_ATTR_NOEXEC), new("exec", MountEffect.Attribute, 0, MOUNT_ATTR_NOEXEC),
        new("nodiratime", MountEffect.Attribute, MOUNT_ATTR_NODIRATIME), new("diratime", MountEffect.Attribute, 0, MOUNT_ATTR_NODIRATIME),
        new("noatime", MountEffect.Attribute, MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
        new("strictatime", MountEffect.Attribute, MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
        // It takes relatime back, which is what there is where no other mode is named.
        new("norelatime", MountEffect.Attribute),
        new("relatime", MountEffect.Attribute, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
        new("atime", MountEffect.Attribute, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
        new("nostrictatime", MountEffect.Attribute, MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME),
        new("nosymfollow", MountEffect.Attribute, MOUNT_ATTR_NOSYMFOLLOW),
        new("symfollow", MountEffect.Attribute, 0, MOUNT_ATTR_NOSYMFOLLOW),
        new("private", MountEffect.Propagation, Init.Propagation.Private), new("shared", MountEffect.Propagation, Init.Propagation.Shared),
        new("slave", MountEffect.Propagation, Init.Propagation.Slave),
        new("unbindable", MountEffect.Propagation, Init.Propagation.Unbindable),
        new("bind", MountEffect.Bind), new("remount", MountEffect.Remount), new("tmpcopyup", MountEffect.CopyUp),
        new("src-nofollow", MountEffect.SourceNoFollow),
        new("dest-nofollow", MountEffect.TargetNoFollow), new("copy-symlink", MountEffect.CopySymlink), new("idmap", MountEffect.IdMap),
    ];

    /// <summary>Every word, sorted, for `features`.</summary>
    public static string[] All
    {
        get
        {
            List<string> words = [];
            foreach (MountWord one in Table)
            {
                words.Add(one.Word);
                if (one.HasTreeForm) words.Add("r" + one.Word);
            }
            words.Sort(StringComparer.Ordinal);
            return [.. words];
        }
    }

    /// <summary>Looks a word up.</summary>
    /// <param name="word">An option.</param>
    /// <param name="found">What it means.</param>
    /// <param name="tree">It is the form with an r, for the mount and everything below it.</param>
    public static bool TryFind(string word, out MountWord found, out bool tree)
    {
        foreach (ref readonly MountWord one in Table.AsSpan())
        {
            // The length first: it rules out nearly all.
            int prefix = word.Length - one.Word.Length;
            if (prefix is not (0 or 1) || !word.EndsWith(one.Word, StringComparison.Ordinal)) continue;
            tree = prefix == 1;
            if (tree && !(one.HasTreeForm && word[0] == 'r')) continue;
            found = one;
            return true;
        }
        found = default;
        return tree = false;
    }
}

/// <summary>One of them.</summary>
/// <param name="Word">As it stands in config.json.</param>
/// <param name="Effect">What it does.</param>
/// <param name="Set">The attributes it sets, or the propagation.</param>
/// <param name="Clear">The attributes it clears.</param>
internal readonly record struct MountWord(string Word, MountEffect Effect, ulong Set = 0, ulong Clear = 0)
{
    /// <summary>With an r before it it means the mount and everything below it.</summary>
    public bool HasTreeForm => Effect is MountEffect.Attribute or MountEffect.Propagation or MountEffect.Bind or MountEffect.IdMap;
}
