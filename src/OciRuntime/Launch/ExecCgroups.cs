using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The cgroups that an exec enters: the container's, or ones below them (--cgroup).</summary>
internal static class ExecCgroups
{
    /// <summary>Absolute paths, the v2 one first, as in the state.</summary>
    /// <exception cref="OciException">--cgroup names a controller that is not there, or one twice.</exception>
    public static string[] Paths(ContainerState state, IReadOnlyList<string> subCgroups)
    {
        // What an ordinary user could not make is not there; and a cgroup with a process in it cannot be removed.
        string[] paths = Array.FindAll(state.CgroupDirectories,
            static path => Files.StatAt(Files.AT_FDCWD, path, 0, out _) != -Errno.ENOENT);
        if (subCgroups.Count == 0) return paths;
        if (subCgroups.Count == 1 && !subCgroups[0].Contains(':')) return Array.ConvertAll(paths, path => Below(path, subCgroups[0]));
        Dictionary<string, string> byController = Parse(subCgroups);
        CgroupHost host = CgroupHost.Probe();
        HashSet<string> used = [];
        for (int i = 0; i < paths.Length; i++)
        {
            string path = paths[i];
            CgroupHierarchy? hierarchy = Array.Find(host.Hierarchies, h => path.StartsWith(h.MountPoint + "/", StringComparison.Ordinal));
            foreach ((string controller, string below) in byController)
            {
                if (hierarchy is null || !(hierarchy.Has(controller) || hierarchy.Label == controller)) continue;
                used.Add(controller);
                paths[i] = Below(path, below);
            }
        }
        foreach (string controller in byController.Keys)
        {
            if (!used.Contains(controller))
                throw new OciException($"--cgroup: the container has no cgroup v1 hierarchy with the controller {controller}");
        }
        return paths;
    }

    /// <summary>
    /// Whether the caller may have a process begin in a v2 cgroup: it moves from his own, and that takes the right to write to cgroup.procs
    /// of the nearest one above both (cgroup-v2.rst, "Delegation Containment"). From a login session to the user's systemd he has not.
    /// </summary>
    public static bool InReach(string path)
    {
        CgroupHost host = CgroupHost.Probe();
        if (host.Unified is not { } unified) return true;
        string[] own = host.OwnPath(unified).Split('/', StringSplitOptions.RemoveEmptyEntries);
        string common = unified.MountPoint;
        foreach (string name in own)
        {
            if (!(path + "/").StartsWith($"{common}/{name}/", StringComparison.Ordinal)) break;
            common += "/" + name;
        }
        const int W_OK = 2;
        return Files.AccessAsEffective(common + "/cgroup.procs", W_OK) >= 0;
    }

    /// <summary>Has systemd move a process into the container's scope.</summary>
    public static void Attach(ContainerState state, IReadOnlyList<string> subCgroups, int pid, Interruption interruption)
    {
        string scope = state.CgroupDirectories[0];
        using SystemdManager manager = SystemdManager.Connect(state.SystemdUser, interruption.WaitFor);
        try
        {
            string below = Paths(state, subCgroups)[0][scope.Length..];
            manager.Attach(state.SystemdUnit!, below.Length == 0 ? "/" : below, pid);
        }
        catch (OciException) when (subCgroups.Count == 0 && BelowScope(state) is { Length: > 0 } inner)
        {
            // The container has given its cgroup children with controllers, and so it takes no processes any more: where init is, there is
            // room.
            manager.Attach(state.SystemdUnit!, inner, pid);
        }
    }

    /// <summary>Where init is below its scope; null when it cannot be told, or told to systemd, whose words are UTF-8.</summary>
    private static string? BelowScope(ContainerState state)
    {
        try
        {
            using OpenCgroups entry = OpenCgroups.OpenOfProcess(state.CgroupDirectories, state.Init.Pid, out byte[] below);
            return System.Text.Unicode.Utf8.IsValid(below) ? System.Text.Encoding.UTF8.GetString(below) : null;
        }
        catch (OciException)
        {
            // Then the first failure is the one to report.
            return null;
        }
    }

    // runc's rules and words.
    private static Dictionary<string, string> Parse(IReadOnlyList<string> subCgroups)
    {
        Dictionary<string, string> byController = new(StringComparer.Ordinal);
        foreach (string text in subCgroups)
        {
            int colon = text.IndexOf(':');
            if (colon < 0) throw new OciException($"invalid --cgroup argument: {text} (missing <controller>: prefix)");
            foreach (string controller in text[..colon].Split(','))
            {
                if (controller.Length == 0) throw new OciException($"invalid --cgroup argument: {text} (empty <controller> prefix)");
                if (!byController.TryAdd(controller, text[(colon + 1)..]))
                    throw new OciException($"invalid --cgroup argument(s): controller {controller} specified multiple times");
            }
        }
        return byController;
    }

    private static string Below(string path, string below) =>
        below is "" or "/" ? path : $"{path}/{CgroupPaths.Normalize(below, "--cgroup")}";
}
