namespace OciRuntime.Linux;

/// <summary>The specification's words for kinds of namespaces, with their flags (runtime-spec config-linux.md, "Namespaces"; namespaces(7)).</summary>
internal static class NamespaceNames
{
    /// <summary>Outer first: the user namespace owns the others.</summary>
    public static string[] All { get; } = ["user", "pid", "network", "mount", "ipc", "uts", "cgroup", "time"];

    /// <summary>CLONE_NEW… flag of a word; 0 for an unknown one.</summary>
    public static ulong Flag(string name) => name switch
    {
        "pid" => Processes.CLONE_NEWPID,
        "network" => Processes.CLONE_NEWNET,
        "mount" => Processes.CLONE_NEWNS,
        "ipc" => Processes.CLONE_NEWIPC,
        "uts" => Processes.CLONE_NEWUTS,
        "user" => Processes.CLONE_NEWUSER,
        "cgroup" => Processes.CLONE_NEWCGROUP,
        "time" => Processes.CLONE_NEWTIME,
        _ => 0,
    };

    /// <summary>The words of a set of flags.</summary>
    public static List<string> Of(ulong flags)
    {
        List<string> names = [];
        foreach (string name in All) if ((flags & Flag(name)) != 0) names.Add(name);
        return names;
    }
}
