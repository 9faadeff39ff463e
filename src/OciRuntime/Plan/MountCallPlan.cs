using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>
/// The options of a new file system for mount(2), where fsconfig(2) cannot say them: see <see cref="MountCall"/>.
/// </summary>
/// <param name="Source">What it is mounted from, or null.</param>
/// <param name="Flags">MS_… flags of the superblock.</param>
/// <param name="Pieces">Options, cut where the number of a descriptor belongs.</param>
/// <param name="Directories">What those descriptors are of.</param>
internal sealed record MountCallPlan(string? Source, ulong Flags, string[] Pieces, string[] Directories)
{
    /// <summary>Bytes that fsconfig(2) takes for a key or a value (strndup_user() in the kernel, less the NUL).</summary>
    private const int MaxValue = 255;

    /// <summary>What mount(2) takes as flags, and fsconfig(2) as words.</summary>
    private static readonly (string Word, ulong Flag, bool Set)[] Words =
    [
        ("ro", Mounts.MS_RDONLY, true), ("sync", Mounts.MS_SYNCHRONOUS, true), ("async", Mounts.MS_SYNCHRONOUS, false),
        ("dirsync", Mounts.MS_DIRSYNC, true),
        ("lazytime", Mounts.MS_LAZYTIME, true), ("nolazytime", Mounts.MS_LAZYTIME, false), ("mand", Mounts.MS_MANDLOCK, true),
        ("nomand", Mounts.MS_MANDLOCK, false),
    ];

    /// <summary>The plan; null where fsconfig(2) will do.</summary>
    /// <param name="type">The file system.</param>
    /// <param name="options">Its options, the source among them.</param>
    /// <exception cref="FormatException">Neither way can say it.</exception>
    public static MountCallPlan? Build(string type, List<KeyValuePair<string, string?>> options)
    {
        if (!options.Exists(option => !Fits(type, option))) return null;
        string? source = null;
        ulong flags = 0;
        List<KeyValuePair<string, string?>> data = [];
        foreach (KeyValuePair<string, string?> option in options)
        {
            int word = option.Value is null ? Array.FindIndex(Words, w => w.Word == option.Key) : -1;
            if (word >= 0) flags = Words[word].Set ? flags | Words[word].Flag : flags & ~Words[word].Flag;
            else if (option is { Key: "source", Value: not null } && source is null) source = option.Value;
            else data.Add(option);
        }
        if (source is not null && Encoding.UTF8.GetByteCount(source) >= Kernel.PathMax)
            throw new FormatException($"the source is longer than the {Kernel.PathMax - 1} bytes that mount(2) takes");
        string text = string.Join(',', data.ConvertAll(option => Text(type, option)));
        if (Encoding.UTF8.GetByteCount(text) < MountCalls.OptionsSize) return new(source, flags, [text], []);
        if (type == "overlay") return ByDescriptor(source, flags, data);
        throw new FormatException(
            $"an option is longer than the {MaxValue} bytes that fsconfig(2) takes, and all of them are longer than the "
            + $"{MountCalls.OptionsSize - 1} that mount(2) takes");
    }

    /// <summary>The native form.</summary>
    public unsafe MountCall* Compile(PlanCompiler compiler)
    {
        MountCall* call = compiler.New<MountCall>();
        *call = new()
        {
            Source = compiler.Text(Source),
            Flags = Flags,
            Pieces = compiler.Texts(Pieces),
            Directories = compiler.Texts(Directories)
        };
        return call;
    }

    /// <summary>
    /// Whether fsconfig(2) takes it. Before Linux 6.5 overlay has no parameters of its own, only text for mount(2) with commas in between.
    /// </summary>
    public static bool Fits(string type, KeyValuePair<string, string?> option) =>
        Encoding.UTF8.GetByteCount(option.Key) <= MaxValue
        && (option.Value is null
        || (Encoding.UTF8.GetByteCount(option.Value) <= MaxValue
        && !(type == "overlay" && option.Value.Contains(',') && !MountOptions.IsContext(option.Key))));

    // In quotes a security module takes commas; cifs takes them twice; tmpfs those before a digit, for mpol=; overlay those behind a
    // backslash, which is still there.
    private static string Text(string type, KeyValuePair<string, string?> option)
    {
        if (option.Value is null) return option.Key;
        if (!option.Value.Contains(',')) return $"{option.Key}={option.Value}";
        if (MountOptions.IsContext(option.Key)) return $"{option.Key}=\"{option.Value}\"";
        if (MountOptions.IsCifs(type)) return $"{option.Key}={option.Value.Replace(",", ",,")}";
        return type is "overlay" or "tmpfs" ? $"{option.Key}={option.Value}"
            : throw new FormatException(
            $"option \"{option.Key}\": a comma in a value cannot be told to mount(2), which another option needs that is longer than "
            + $"{MaxValue} bytes");
    }

    /// <summary>
    /// The value of an overlay's option with directories that begin at the root: relative ones are the bundle's, as the sources of binds
    /// are, wherever the runtime was called. In a list the bundle's path must not be split.
    /// </summary>
    public static string? FromBundle(string bundle, string key, string? value)
    {
        if (key is not ("lowerdir" or "upperdir" or "workdir" or "lowerdir+" or "datadir+") || string.IsNullOrEmpty(value)) return value;
        string directory = key[^1] == '+' ? bundle : bundle.Replace("\\", "\\\\").Replace(":", "\\:").Replace(",", "\\,");
        StringBuilder text = new();
        bool begins = true;
        for (int i = 0; i < value.Length; i++)
        {
            bool colon = key == "lowerdir" && value[i] == ':';
            if (begins && !colon && value[i] != '/') text.Append(directory).Append('/');
            begins = colon;
            text.Append(value[i]);
            if (value[i] == '\\' && i + 1 < value.Length) text.Append(value[++i]);
        }
        return text.ToString();
    }

    /// <summary>More than a page of paths: each becomes the few digits of a descriptor.</summary>
    private static MountCallPlan ByDescriptor(string? source, ulong flags, List<KeyValuePair<string, string?>> data)
    {
        List<string> pieces = [], directories = [];
        StringBuilder piece = new();
        foreach (KeyValuePair<string, string?> option in data)
        {
            if (piece.Length > 0 || pieces.Count > 0) piece.Append(',');
            if (option is not { Key: "lowerdir" or "upperdir" or "workdir", Value: { } value })
            {
                piece.Append(Text("overlay", option));
                continue;
            }
            piece.Append(option.Key).Append('=');
            AddDirectories(value, isList: option.Key == "lowerdir", piece, pieces, directories);
        }
        pieces.Add(piece.ToString());
        // A descriptor has four digits at most here, as no overlay has more layers (OVL_MAX_STACK).
        int length = pieces.Sum(Encoding.UTF8.GetByteCount) + (4 * directories.Count);
        if (length >= MountCalls.OptionsSize)
        {
            throw new FormatException(
                $"{directories.Count} directories are too many: the options are longer than the {MountCalls.OptionsSize - 1} bytes that "
                + $"mount(2) takes");
        }
        return new(source, flags, [.. pieces], [.. directories]);
    }

    /// <summary>Colons between directories stay; a backslash, as overlay reads it, takes the meaning off the character after it.</summary>
    private static void AddDirectories(string value, bool isList, StringBuilder piece, List<string> pieces, List<string> directories)
    {
        StringBuilder path = new();
        for (int i = 0; i <= value.Length; i++)
        {
            bool end = i == value.Length || (isList && value[i] == ':');
            if (!end)
            {
                if (value[i] == '\\' && i + 1 < value.Length) i++;
                path.Append(value[i]);
                continue;
            }
            if (path.Length > 0)
            {
                pieces.Add(piece.ToString());
                piece.Clear();
                directories.Add(path.ToString());
                path.Clear();
            }
            if (i < value.Length) piece.Append(':');
        }
    }
}
