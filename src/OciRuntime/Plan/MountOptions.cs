using System.Diagnostics;
using OciRuntime.Spec;
using static OciRuntime.Linux.Mounts;

namespace OciRuntime.Plan;

/// <summary>
/// The options of one mount, sorted into what each does (runtime-spec config-linux.md, "mount options"; mount_setattr(2)).
/// </summary>
internal ref struct MountOptions
{
    /// <summary>Attributes of the mount itself.</summary>
    public ulong Set, Clear;

    /// <summary>Attributes of it and everything below it (the words that begin with r).</summary>
    public ulong TreeSet, TreeClear;

    /// <summary>
    /// Attributes of a new mount: nothing is below it, so both kinds of words mean the same, and those for the tree come last.
    /// </summary>
    public readonly ulong NewSet => (Set & ~TreeClear) | TreeSet;

    /// <summary>
    /// What a bind does not keep of its source's attributes: those that are not named, if any word is about the mount itself, as with runc
    /// since 1.2. The access time mode and nodiratime are one of them, kept when neither is named.
    /// </summary>
    public readonly ulong Unnamed
    {
        get
        {
            if (!_isOwn) return 0;
            ulong all = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NOSYMFOLLOW;
            if ((Clear & MOUNT_ATTR__ATIME) != 0) all |= MOUNT_ATTR_NODIRATIME;
            if ((Set & MOUNT_ATTR_NODIRATIME) != 0) all |= MOUNT_ATTR__ATIME;
            return all & ~(Set | Clear);
        }
    }

    /// <summary>Packed as <see cref="Init.Propagation"/> says.</summary>
    public ulong Propagation;

    private int _propagationWords;

    // A word was about the mount itself, also one without an effect on it.
    private bool _isOwn;

    public bool Bind, Recursive, Remount;

    /// <summary>A source that is a symbolic link is made anew at the destination.</summary>
    public bool CopySymlink;

    /// <summary>tmpcopyup, src-nofollow and dest-nofollow.</summary>
    public bool CopyUp, SourceNoFollow, TargetNoFollow;

    /// <summary>Options of the file system, in order.</summary>
    public List<KeyValuePair<string, string?>>? Data;

    /// <summary>
    /// Flags of the superblock. A bind mount shares its source's and may name them all the same, without effect (mount(2), MS_BIND).
    /// </summary>
    public List<KeyValuePair<string, string?>>? Flags;

    /// <summary>The option idmap or ridmap, with crun's mapping behind it where there is one, or null.</summary>
    public string? IdMap;

    /// <summary>Sorts all options.</summary>
    /// <param name="options">The words.</param>
    /// <param name="type">The file system, whose own options may have commas in their values.</param>
    public static MountOptions Parse(string[] options, string? type = null)
    {
        MountOptions result = default;
        foreach (string option in options) if (!result.Word(option)) result.AddData(option, type);
        return result;
    }

    private bool Word(string word)
    {
        if (!MountOptionWords.TryFind(word, out MountWord known, out bool tree)) return InlineIdMap(word);
        _isOwn |= !tree && known.Effect is MountEffect.Attribute or MountEffect.Superblock or MountEffect.Inert;
        switch (known.Effect)
        {
            case MountEffect.None or MountEffect.Inert: break;
            case MountEffect.Attribute when tree: Change(ref TreeSet, ref TreeClear, known); break;
            case MountEffect.Attribute: Change(ref Set, ref Clear, known); break;
            case MountEffect.Propagation: Propagate(tree ? known.Set | Init.Propagation.Recursive : known.Set); break;
            case MountEffect.Superblock: (Flags ??= []).Add(new(word, null)); break;
            case MountEffect.Bind:
                Bind = true;
                Recursive |= tree;
                break;
            case MountEffect.Remount: Remount = true; break;
            case MountEffect.CopyUp: CopyUp = true; break;
            case MountEffect.SourceNoFollow: SourceNoFollow = true; break;
            case MountEffect.TargetNoFollow: TargetNoFollow = true; break;
            case MountEffect.CopySymlink: CopySymlink = true; break;
            case MountEffect.IdMap: IdMap = word; break;
            default: throw new UnreachableException();
        }
        return true;
    }

    private bool InlineIdMap(string word)
    {
        if (!word.StartsWith("idmap=", StringComparison.Ordinal) && !word.StartsWith("ridmap=", StringComparison.Ordinal)) return false;
        IdMap = word;
        return true;
    }

    // A later word wins over an earlier one, as with mount(8).
    private static void Change(ref ulong set, ref ulong clear, in MountWord word)
    {
        set = (set & ~word.Clear) | word.Set;
        clear = (clear & ~word.Set) | word.Clear;
    }

    private void Propagate(ulong word)
    {
        if (_propagationWords < 16) Propagation |= word << (4 * _propagationWords++);
    }

    /// <summary>
    /// Splits at commas as the kernel does with the text that mount(2) gives it: not inside the quotes of a security context, nor behind a
    /// backslash for overlay, nor before a digit for tmpfs (mpol=bind:0,2); for cifs two in a row are one of the value's. Any other quote
    /// is a character like others.
    /// </summary>
    private void AddData(string option, string? type)
    {
        int start = 0;
        bool quoted = false, doubled = false;
        for (int i = 0; i <= option.Length; i++)
        {
            if (i < option.Length && option[i] == '"' && BeginsWithContext(option.AsSpan(start))) quoted = !quoted;
            if (i < option.Length && option[i] == '\\' && type == "overlay" && ++i < option.Length) continue;
            if (i < option.Length
                && (option[i] != ',' || quoted || (type == "tmpfs" && i + 1 < option.Length && char.IsAsciiDigit(option[i + 1]))))
            {
                continue;
            }
            if (IsCifs(type) && i + 1 < option.Length && option[i + 1] == ',')
            {
                doubled = true;
                i++;
                continue;
            }
            if (i > start) AddPair(doubled ? option[start..i].Replace(",,", ",") : option[start..i]);
            start = i + 1;
            doubled = false;
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

    private static ReadOnlySpan<char> Key(ReadOnlySpan<char> option) =>
        option.IndexOf('=') is var equals and >= 0 ? option[..equals] : option;

    // The whole of the rest would be searched for "=" at each quote, of which an option may have millions.
    private static bool BeginsWithContext(ReadOnlySpan<char> option)
    {
        foreach (string key in SpecWords.MountContextTypes)
            if (option.Length > key.Length && option[key.Length] == '=' && option.StartsWith(key, StringComparison.Ordinal)) return true;
        return false;
    }

    /// <summary>Whether the security module reads an option: it takes the value in quotes, as there can be commas in it.</summary>
    public static bool IsContext(ReadOnlySpan<char> key) => SpecWords.Has(SpecWords.MountContextTypes, key);

    /// <summary>Whether a comma in a value is written twice (smb3_fs_context_parse_monolithic() in the kernel).</summary>
    public static bool IsCifs(string? type) => type is "cifs" or "smb3";
}
