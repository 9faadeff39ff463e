using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Verify;

/// <summary>Namespaces: those that are the container's own, those that it joined, and whose its processes are in.</summary>
internal static class NamespaceProof
{
    private const string Title = "namespaces";

    /// <summary>Of the first process.</summary>
    /// <param name="report">Takes what is found.</param>
    /// <param name="subject">The container.</param>
    /// <param name="host">The host's files.</param>
    public static void Add(Report report, Subject subject, FileTree host)
    {
        foreach (NamespaceKind kind in NamespaceNames.Kinds)
        {
            bool separate = subject.Namespaces.Has(kind.Flag);
            NamespacePath join = subject.Namespaces.Joins.Find(one => one.Flag == kind.Flag);
            string pointer = separate ? subject.Namespaces.OriginOf(kind.Flag).ToString() : "/linux/namespaces";
            long result = subject.Init.Stat($"ns/{kind.File}", out Statx its);
            if (kind.Flag == Processes.CLONE_NEWUSER && subject.UserNamespace is { } user) its = user;
            // A kernel without this kind.
            if (result == -Errno.ENOENT && !separate) continue;
            string words = !separate ? $"the runtime's {kind.Name} namespace" : join.Path is null ? $"its own {kind.Name} namespace"
                : $"the {kind.Name} namespace {join.Path}";
            report.Add(Title, pointer, words, result < 0 ? Seen.Unchecked(ErrnoText.Full((int)-result))
                : separate ? Separate(kind, join.Path, its, host) : Shared(kind, its));
        }
        if (subject.Plan.Find<TimeOffsetsStep>() is { Lines.Length: > 0 } time)
            report.Add("kernel", time.Origin.ToString(), $"clocks offset by {OneLine(time.Lines)}", Offsets(subject.Init, time.Lines));
        if (subject.Plan.IdMaps is not { } maps) return;
        foreach (IdMap map in (IdMap[])[maps.Uids, maps.Gids])
            report.Add("ids", map.Pointer, $"the {map.Kind} map {map.Words}", Map(subject, map));
    }

    /// <summary>Of every process: none is in a namespace of the host's where the container has another one.</summary>
    public static IEnumerable<ProcessPromise> OfProcesses(Subject subject)
    {
        foreach (NamespaceKind kind in NamespaceNames.Kinds)
        {
            if (!subject.Namespaces.Has(kind.Flag)) continue;
            string link = $"ns/{kind.File}", pointer = subject.Namespaces.OriginOf(kind.Flag).ToString();
            if (subject.Init.Stat(link, out Statx container) < 0 || Own(kind, out Statx own) < 0) continue;
            if (kind.Flag == Processes.CLONE_NEWUSER && subject.UserNamespace is { } user) container = user;
            yield return new(new(Title, pointer, $"every process in the container's {kind.Name} namespace, or one made in it"), process =>
            {
                long result = process.Stat(link, out Statx its);
                if (result < 0) return Seen.Unchecked(ErrnoText.Full((int)-result));
                if (its.Identity == container.Identity) return Seen.Held;
                if (its.Identity == own.Identity) return new(Outcome.Broken, $"it is in the host's {kind.Name} namespace");
                // Only of these does the kernel say what they are in.
                if (kind.Flag is not (Processes.CLONE_NEWPID or Processes.CLONE_NEWUSER)) return Seen.Held;
                return Files.IsWithin(process.OpenLink(link, Files.O_RDONLY), container) ? Seen.Held
                    : new(Outcome.Broken, $"it is in a {kind.Name} namespace that is not below the container's");
            });
        }
    }

    private static Seen Separate(NamespaceKind kind, string? path, in Statx its, FileTree host)
    {
        long result = Own(kind, out Statx own);
        if (path is null)
        {
            return result < 0 ? Seen.Unchecked(ErrnoText.Full((int)-result))
                : its.Identity != own.Identity ? Seen.Held : new(Outcome.Broken, $"it is in the host's {kind.Name} namespace");
        }
        if (IsAt(host, path, kind, its, out string why)) return Seen.Held;
        if (result >= 0 && its.Identity == own.Identity) return new(Outcome.Broken, $"it is in the host's {kind.Name} namespace");
        return why.Length > 0 ? Seen.Unchecked($"{path}: {why}")
            : new(Outcome.Drifted,
                "it is in another one: it has left that one, or the path leads elsewhere now, or did when the container was made");
    }

    private static bool IsAt(FileTree host, string path, NamespaceKind kind, in Statx its, out string why)
    {
        using Place? found = host.Find(path, followLast: false, out _, out why);
        if (found is { Stat.IsSymlink: true, Mount.Type: "proc" })
        {
            // Not followed, as others of the kernel's lead anywhere: it reads "net:[4026531840]" (namespaces(7)).
            string? link = Files.ReadLinkAt(found.Descriptor.Number, "", out long error);
            if (link is null) why = ErrnoText.Full((int)-error);
            return link == $"{kind.File}:[{its.Inode}]";
        }
        using Place? place = host.Find(path, followLast: true, out _, out why);
        return place is not null && place.Stat.Identity == its.Identity;
    }

    private static Seen Shared(NamespaceKind kind, in Statx its) =>
        Own(kind, out Statx own) >= 0 && own.Identity == its.Identity ? Seen.Held
            : Seen.Unchecked("it is in another one than this process, as whoever made the container may have been");

    private static long Own(NamespaceKind kind, out Statx stat) =>
        Files.StatAt(Files.AT_FDCWD, $"/proc/self/ns/{kind.File}", 0, out stat);

    private static Seen Offsets(ProcessFiles init, string lines)
    {
        if (init.Text("timens_offsets", out long error) is not { } text) return Seen.Unchecked(ErrnoText.Full((int)-error));
        List<string[]> there = Rows(text);
        return Rows(lines).TrueForAll(wanted => there.Exists(row => row.SequenceEqual(wanted))) ? Seen.Held
            : new(Outcome.Broken, $"they are offset by {OneLine(text)}");
    }

    private static Seen Map(Subject subject, IdMap map)
    {
        if (subject.IdMap(map.File, out string why) is not { } text) return Seen.Unchecked(why);
        return IsSameMap(text, map.Lines) ? Seen.Held : new(Outcome.Broken, $"it is {OneLine(text)}");
    }

    /// <summary>Whether the lines of two id maps are the same numbers.</summary>
    public static bool IsSameMap(string a, string b) => OneLine(a) == OneLine(b);

    private static List<string[]> Rows(string text) =>
        [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))];

    private static string OneLine(string text) => string.Join(", ", Rows(text).ConvertAll(static row => string.Join(' ', row)));
}
