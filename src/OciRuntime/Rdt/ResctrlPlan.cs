using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Rdt;

/// <summary>A line for a schemata file, with where in config.json it comes from.</summary>
internal readonly record struct SchemaLine(string Pointer, string Text);

/// <summary>
/// The container's class of service and monitoring group (runtime-spec config-linux.md, "IntelRdt"; the kernel's
/// Documentation/filesystems/resctrl.rst), decided before anything is made.
/// </summary>
internal sealed class ResctrlPlan
{
    /// <summary>Where the resctrl file system is mounted.</summary>
    public required string Root { get; init; }

    /// <summary>Directory of the class of service.</summary>
    public required string Group { get; init; }

    /// <summary>It was named, so it may be shared by many and outlives the container; otherwise it is the container's own.</summary>
    public required bool IsNamed { get; init; }

    /// <summary>It is named and not described: somebody must have made it.</summary>
    public bool MustExist => IsNamed && Described.Count + Schemata.Count == 0;

    /// <summary>Lines of l3CacheSchema and memBwSchema: a class of service that exists must agree with them.</summary>
    public required List<SchemaLine> Described { get; init; }

    /// <summary>Lines of schemata: written in any case.</summary>
    public required List<SchemaLine> Schemata { get; init; }

    /// <summary>Directory of the monitoring group, or null.</summary>
    public required string? Monitor { get; init; }

    /// <summary>What does not exist yet and will be made, in that order.</summary>
    public string[] ToMake()
    {
        List<string> paths = [];
        if (!MustExist && !Exists(Group)) paths.Add(Group);
        if (Monitor is not null && !Exists(Monitor)) paths.Add(Monitor);
        return [.. paths];
    }

    /// <summary>Of these, what goes with the container: "if closID is set, the runtime MUST NOT remove the sub-directory".</summary>
    public string[] ToRemove(string[] made) => Array.FindAll(made, path => !IsNamed || path != Group);

    /// <param name="root">The mounted resctrl file system.</param>
    /// <param name="id">The container.</param>
    /// <param name="config">Valid.</param>
    public static ResctrlPlan Build(string root, string id, IntelRdt config)
    {
        bool named = !string.IsNullOrEmpty(config.ClosID);
        string group = config.ClosID == "/" ? root : $"{root}/{(named ? config.ClosID : id)}";
        List<SchemaLine> described = [], schemata = [];
        foreach (string line in (config.L3CacheSchema ?? "").Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            // Bandwidth has a property of its own (runtime-spec 1.0 to 1.2 say so explicitly).
            if (!line.StartsWith("MB:", StringComparison.Ordinal)) described.Add(new("/linux/intelRdt/l3CacheSchema", line));
        }
        if (!string.IsNullOrEmpty(config.MemBwSchema)) described.Add(new("/linux/intelRdt/memBwSchema", config.MemBwSchema));
        for (int i = 0; i < config.Schemata.Length; i++) schemata.Add(new($"/linux/intelRdt/schemata/{i}", config.Schemata[i]));
        return new ResctrlPlan
        {
            Root = root,
            Group = group,
            IsNamed = named,
            Described = described,
            Schemata = schemata,
            Monitor = config.EnableMonitoring
                ? $"{group}/mon_groups/{id}" : null,
        };
    }

    internal static bool Exists(string path) => Files.StatAt(Files.AT_FDCWD, path, Files.AT_SYMLINK_NOFOLLOW, out _) >= 0;
}
