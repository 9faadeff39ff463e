using static OciRuntime.Linux.Mounts;

namespace OciRuntime.Plan;

/// <summary>The options of one mount, sorted into what each does (runtime-spec config-linux.md, "mount options"; mount_setattr(2)).</summary>
internal ref struct MountOptions
{
    /// <summary>Attributes of the mount itself.</summary>
    public ulong Set, Clear;

    /// <summary>Attributes of it and everything below it (the words that begin with r).</summary>
    public ulong TreeSet, TreeClear;

    /// <summary>Attributes of a new mount: nothing is below it, so both kinds of words mean the same, and those for the tree come last.</summary>
    public readonly ulong NewSet => (Set & ~TreeClear) | TreeSet;

    /// <summary>
    /// What a bind does not keep of its source's attributes: those that are not named, if any word is about the mount itself, as with runc since 1.2. The access
    /// time mode and nodiratime are one of them, kept when neither is named.
    /// </summary>
    public readonly ulong Unnamed
    {
        get
        {
            if ((Set | Clear) == 0 && Flags == null && !_inert) return 0;
            ulong all = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
            if ((Clear & MOUNT_ATTR__ATIME) != 0) all |= MOUNT_ATTR_NODIRATIME;
            if ((Set & MOUNT_ATTR_NODIRATIME) != 0) all |= MOUNT_ATTR__ATIME;
            return all & ~(Set | Clear);
        }
    }

    /// <summary>Packed as <see cref="Init.Propagation"/> says.</summary>
    public ulong Propagation;

    private int _propagationWords;

    // A word was about the mount and has no effect on it.
    private bool _inert;

    public bool Bind, Recursive, Remount;

    /// <summary>A source that is a symbolic link is made anew at the destination.</summary>
    public bool CopySymlink;

    /// <summary>tmpcopyup, src-nofollow and dest-nofollow.</summary>
    public Init.InitFlags StepFlags;

    /// <summary>Options of the file system, in order.</summary>
    public List<KeyValuePair<string, string?>>? Data;

    /// <summary>Flags of the superblock. A bind mount shares its source's and may name them all the same, without effect (mount(2), MS_BIND).</summary>
    public List<KeyValuePair<string, string?>>? Flags;

    /// <summary>The option idmap or ridmap, with crun's mapping behind it where there is one, or null.</summary>
    public string? IdMap;

    /// <summary>Sorts all options.</summary>
    /// <param name="options">The words.</param>
    /// <param name="type">The file system, whose own options may have commas in their values.</param>
    public static MountOptions Parse(string[] options, string? type = null)
    {
        MountOptions result = default;
        foreach (string option in options)
        {
            if (!result.Word(option)) result.AddData(option, type);
        }
        return result;
    }

    private bool Word(string word)
    {
        switch (word)
        {
            // Inert: iversion is up to each file system since Linux 6.1, and fsconfig(2) has no word for it; silent is about the kernel's log.
            case "silent" or "loud" or "iversion" or "noiversion": return _inert = true;
            case "defaults": return true;
            case "sync" or "async" or "dirsync" or "lazytime" or "nolazytime" or "mand" or "nomand": return Flag(word);
            case "ro": return Attribute(MOUNT_ATTR_RDONLY, 0);
            case "rw": return Attribute(0, MOUNT_ATTR_RDONLY);
            case "nosuid": return Attribute(MOUNT_ATTR_NOSUID, 0);
            case "suid": return Attribute(0, MOUNT_ATTR_NOSUID);
            case "nodev": return Attribute(MOUNT_ATTR_NODEV, 0);
            case "dev": return Attribute(0, MOUNT_ATTR_NODEV);
            case "noexec": return Attribute(MOUNT_ATTR_NOEXEC, 0);
            case "exec": return Attribute(0, MOUNT_ATTR_NOEXEC);
            case "nodiratime": return Attribute(MOUNT_ATTR_NODIRATIME, 0);
            case "diratime": return Attribute(0, MOUNT_ATTR_NODIRATIME);
            case "noatime": return Attribute(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME);
            case "strictatime": return Attribute(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME);
            case "relatime" or "atime" or "nostrictatime": return Attribute(MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME);
            case "norelatime": return Attribute(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME);
            case "nosymfollow": return Attribute(MOUNT_ATTR_NOSYMFOLLOW, 0);
            case "symfollow": return Attribute(0, MOUNT_ATTR_NOSYMFOLLOW);
            case "rro": return Tree(MOUNT_ATTR_RDONLY, 0);
            case "rrw": return Tree(0, MOUNT_ATTR_RDONLY);
            case "rnosuid": return Tree(MOUNT_ATTR_NOSUID, 0);
            case "rsuid": return Tree(0, MOUNT_ATTR_NOSUID);
            case "rnodev": return Tree(MOUNT_ATTR_NODEV, 0);
            case "rdev": return Tree(0, MOUNT_ATTR_NODEV);
            case "rnoexec": return Tree(MOUNT_ATTR_NOEXEC, 0);
            case "rexec": return Tree(0, MOUNT_ATTR_NOEXEC);
            case "rnodiratime": return Tree(MOUNT_ATTR_NODIRATIME, 0);
            case "rdiratime": return Tree(0, MOUNT_ATTR_NODIRATIME);
            case "rnoatime": return Tree(MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME);
            case "rstrictatime": return Tree(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME);
            case "rrelatime" or "ratime" or "rnostrictatime": return Tree(MOUNT_ATTR_RELATIME, MOUNT_ATTR__ATIME);
            case "rnorelatime": return Tree(MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME);
            case "rnosymfollow": return Tree(MOUNT_ATTR_NOSYMFOLLOW, 0);
            case "rsymfollow": return Tree(0, MOUNT_ATTR_NOSYMFOLLOW);
            case "private": return Propagate(Init.Propagation.Private);
            case "shared": return Propagate(Init.Propagation.Shared);
            case "slave": return Propagate(Init.Propagation.Slave);
            case "unbindable": return Propagate(Init.Propagation.Unbindable);
            case "rprivate": return Propagate(Init.Propagation.Private | Init.Propagation.Recursive);
            case "rshared": return Propagate(Init.Propagation.Shared | Init.Propagation.Recursive);
            case "rslave": return Propagate(Init.Propagation.Slave | Init.Propagation.Recursive);
            case "runbindable": return Propagate(Init.Propagation.Unbindable | Init.Propagation.Recursive);
            case "bind": return Bind = true;
            case "rbind": return Bind = Recursive = true;
            case "remount": return Remount = true;
            case "tmpcopyup": return Step(Init.InitFlags.CopyUp);
            case "src-nofollow": return Step(Init.InitFlags.SourceNoFollow);
            case "dest-nofollow": return Step(Init.InitFlags.TargetNoFollow);
            case "copy-symlink": return CopySymlink = true;
            case "idmap" or "ridmap":
                IdMap = word;
                return true;
            default: return InlineIdMap(word);
        }
    }

    private bool InlineIdMap(string word)
    {
        if (!word.StartsWith("idmap=", StringComparison.Ordinal) && !word.StartsWith("ridmap=", StringComparison.Ordinal)) return false;
        IdMap = word;
        return true;
    }

    // A later word wins over an earlier one, as with mount(8).
    private bool Attribute(ulong set, ulong clear)
    {
        Set = (Set & ~clear) | set;
        Clear = (Clear & ~set) | clear;
        return true;
    }

    private bool Tree(ulong set, ulong clear)
    {
        TreeSet = (TreeSet & ~clear) | set;
        TreeClear = (TreeClear & ~set) | clear;
        return true;
    }

    private bool Step(Init.InitFlags flag)
    {
        StepFlags |= flag;
        return true;
    }

    private bool Flag(string word)
    {
        Flags ??= [];
        Flags.Add(new(word, null));
        return true;
    }

    private bool Propagate(ulong word)
    {
        if (_propagationWords < 16) Propagation |= word << (4 * _propagationWords++);
        return true;
    }

    /// <summary>
    /// Splits at commas as the kernel does with the text that mount(2) gives it: not inside the quotes of a security context, nor behind a backslash for overlay, nor before
    /// a digit for tmpfs (mpol=bind:0,2); for cifs two in a row are one of the value's. Any other quote is a character like others.
    /// </summary>
    private void AddData(string option, string? type)
    {
        int start = 0;
        bool quoted = false;
        for (int i = 0; i <= option.Length; i++)
        {
            if (i < option.Length && option[i] == '"' && IsContext(Key(option.AsSpan(start)))) quoted = !quoted;
            if (i < option.Length && option[i] == '\\' && type == "overlay" && ++i < option.Length) continue;
            if (i < option.Length && (option[i] != ',' || quoted || (type == "tmpfs" && i + 1 < option.Length && char.IsAsciiDigit(option[i + 1])))) continue;
            if (IsCifs(type) && i + 1 < option.Length && option[i + 1] == ',')
            {
                option = option.Remove(i + 1, 1);
                continue;
            }
            if (i > start) AddPair(option[start..i]);
            start = i + 1;
        }
    }

    private void AddPair(string text)
    {
        Data ??= [];
        string key = Key(text).ToString();
        // Without a name: nobody's option for mount(2), either.
        if (key.Length == 0) return;
        string? value = key.Length == text.Length ? null : text[(key.Length + 1)..];
        Data.Add(new(key, IsContext(key) ? value?.Trim('"') : value));
    }

    private static ReadOnlySpan<char> Key(ReadOnlySpan<char> option) => option.IndexOf('=') is var equals and >= 0 ? option[..equals] : option;

    /// <summary>Whether the security module reads an option: it takes the value in quotes, as there can be commas in it.</summary>
    public static bool IsContext(ReadOnlySpan<char> key) => key is "context" or "fscontext" or "defcontext" or "rootcontext";

    /// <summary>Whether a comma in a value is written twice (smb3_fs_context_parse_monolithic() in the kernel).</summary>
    public static bool IsCifs(string? type) => type is "cifs" or "smb3";

    /// <summary>Every word with a meaning of its own, sorted, for `features`.</summary>
    public static string[] Words =>
    [
        "async", "atime", "bind", "copy-symlink", "defaults", "dest-nofollow", "dev", "diratime", "dirsync", "exec", "idmap", "iversion", "lazytime", "loud", "mand", "noatime", "nodev",
        "nodiratime", "noexec", "noiversion", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private", "ratime",
        "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "ridmap", "rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime",
        "rnostrictatime", "rnosuid", "rnosymfollow", "ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid",
        "rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "src-nofollow", "strictatime", "suid", "symfollow", "sync",
        "tmpcopyup", "unbindable",
    ];
}
