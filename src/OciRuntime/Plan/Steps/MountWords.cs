using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Options of a mount in the words that config.json has for them, behind a mount in words.</summary>
internal sealed class MountWords
{
    private static readonly (ulong Flag, string On, string Off)[] Attributes =
    [
        (Mounts.MOUNT_ATTR_RDONLY, "ro", "rw"), (Mounts.MOUNT_ATTR_NOSUID, "nosuid", "suid"), (Mounts.MOUNT_ATTR_NODEV, "nodev", "dev"),
        (Mounts.MOUNT_ATTR_NOEXEC, "noexec", "exec"), (Mounts.MOUNT_ATTR_NODIRATIME, "nodiratime", "diratime"),
        (Mounts.MOUNT_ATTR_NOSYMFOLLOW, "nosymfollow", "symfollow"),
    ];

    private readonly List<string> _words = [];

    public void Add(bool given, string word)
    {
        if (given) _words.Add(word);
    }

    /// <param name="prefix">"r" for attributes of the whole tree.</param>
    /// <param name="set">MOUNT_ATTR_….</param>
    /// <param name="clear">MOUNT_ATTR_….</param>
    public void AddAttributes(string prefix, ulong set, ulong clear)
    {
        foreach ((ulong flag, string on, string off) in Attributes)
        {
            if ((set & flag) != 0) _words.Add(prefix + on);
            else if ((clear & flag) != 0) _words.Add(prefix + off);
        }
        if ((set & Mounts.MOUNT_ATTR_NOATIME) != 0) _words.Add(prefix + "noatime");
        else if ((set & Mounts.MOUNT_ATTR_STRICTATIME) != 0) _words.Add(prefix + "strictatime");
        else if ((clear & Mounts.MOUNT_ATTR__ATIME) != 0) _words.Add(prefix + "relatime");
    }

    /// <summary>Options of the file system, without the source, and what an attribute has said already.</summary>
    public MountWords AddOptions(List<KeyValuePair<string, string?>> options)
    {
        foreach ((string key, string? value) in options)
        {
            bool shown = key == "source" || (value is null && _words.Contains(key));
            if (!shown) _words.Add(value is null ? key : $"{key}={value}");
        }
        return this;
    }

    /// <param name="packed">See <see cref="Propagation"/>.</param>
    public void AddPropagation(ulong packed)
    {
        while (packed != 0)
        {
            packed = Propagation.Next(packed, out ulong flag, out bool recursive);
            _words.Add(Name(flag | (recursive ? Mounts.MS_REC : 0)));
        }
    }

    /// <summary>The word for a propagation.</summary>
    /// <param name="flags">MS_….</param>
    public static string Name(ulong flags)
    {
        string name = (flags & Mounts.MS_SHARED) != 0 ? "shared" : (flags & Mounts.MS_PRIVATE) != 0 ? "private"
            : (flags & Mounts.MS_UNBINDABLE) != 0 ? "unbindable" : "slave";
        return (flags & Mounts.MS_REC) != 0 ? "r" + name : name;
    }

    /// <summary>" (ro,nosuid)", or "".</summary>
    public override string ToString() => _words.Count == 0 ? "" : $" ({string.Join(',', _words)})";
}
