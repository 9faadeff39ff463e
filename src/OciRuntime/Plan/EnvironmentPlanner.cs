namespace OciRuntime.Plan;

/// <summary>The program's environment: the last of several settings of a variable wins, as every shell and runc have it.</summary>
internal static class EnvironmentPlanner
{
    /// <summary>Removes earlier duplicates; keeps the order otherwise.</summary>
    public static List<string> Build(string[] entries, out bool hasHome)
    {
        List<string> result = new(entries.Length + 3);
        Dictionary<string, int>? seen = entries.Length > 16 ? new(entries.Length, StringComparer.Ordinal) : null;
        hasHome = false;
        foreach (string entry in entries)
        {
            string name = entry[..Math.Max(entry.IndexOf('='), 0)];
            if (name == "HOME") hasHome = entry.Length > 5;
            int at = seen is null ? IndexOf(result, name) : seen.TryGetValue(name, out int known) ? known : -1;
            if (at >= 0)
            {
                result[at] = entry;
                continue;
            }
            if (seen is not null) seen[name] = result.Count;
            result.Add(entry);
        }
        if (!hasHome) result.RemoveAll(static e => e == "HOME=");
        return result;
    }

    /// <summary>The value of a variable, or null.</summary>
    public static string? Find(List<string> environment, string name)
    {
        int at = IndexOf(environment, name);
        return at < 0 ? null : environment[at][(name.Length + 1)..];
    }

    /// <summary>Sets a variable of the runtime's own, in place of one in config.json: getenv(3) finds the first of two.</summary>
    public static void Set(List<string> environment, string name, string value)
    {
        int at = IndexOf(environment, name);
        if (at < 0) environment.Add($"{name}={value}");
        else environment[at] = $"{name}={value}";
    }

    private static int IndexOf(List<string> environment, string name) =>
        environment.FindIndex(e => e.Length > name.Length && e[name.Length] == '=' && e.StartsWith(name, StringComparison.Ordinal));
}
