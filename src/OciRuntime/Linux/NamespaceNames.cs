using static OciRuntime.Linux.Processes;

namespace OciRuntime.Linux;

/// <summary>A kind of namespaces (namespaces(7)).</summary>
/// <param name="Name">The specification's word (config-linux.md, "Namespaces").</param>
/// <param name="File">Its file in /proc/PID/ns.</param>
/// <param name="FlagName">The name of its flag.</param>
/// <param name="Flag">Its CLONE_NEW… flag.</param>
internal readonly record struct NamespaceKind(string Name, string File, string FlagName, ulong Flag);

/// <summary>The kinds of namespaces, by their words and flags.</summary>
internal static class NamespaceNames
{
    /// <summary>Outer first: the user namespace owns the others.</summary>
    public static readonly NamespaceKind[] Kinds =
    [
        new("user", "user", nameof(CLONE_NEWUSER), CLONE_NEWUSER),
        new("pid", "pid", nameof(CLONE_NEWPID), CLONE_NEWPID),
        new("network", "net", nameof(CLONE_NEWNET), CLONE_NEWNET),
        new("mount", "mnt", nameof(CLONE_NEWNS), CLONE_NEWNS),
        new("ipc", "ipc", nameof(CLONE_NEWIPC), CLONE_NEWIPC),
        new("uts", "uts", nameof(CLONE_NEWUTS), CLONE_NEWUTS),
        new("cgroup", "cgroup", nameof(CLONE_NEWCGROUP), CLONE_NEWCGROUP),
        new("time", "time", nameof(CLONE_NEWTIME), CLONE_NEWTIME),
    ];

    /// <summary>The words, in the same order.</summary>
    public static string[] All => Array.ConvertAll(Kinds, static kind => kind.Name);

    /// <summary>CLONE_NEW… flag of a word; 0 for an unknown one.</summary>
    public static ulong Flag(string name)
    {
        foreach (NamespaceKind kind in Kinds)
        {
            if (kind.Name == name) return kind.Flag;
        }
        return 0;
    }

    /// <summary>The words of a set of flags.</summary>
    public static List<string> Of(ulong flags) => [.. Array.FindAll(All, name => (flags & Flag(name)) != 0)];
}
