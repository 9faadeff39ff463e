using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Rdt;

/// <summary>Makes, enters and removes groups of the resctrl file system.</summary>
internal static class Resctrl
{
    private const int MaxFile = 1 << 20;

    /// <summary>
    /// Makes the groups of a plan and writes the schemata. Whoever calls this has written down <see cref="ResctrlPlan.ToMake"/>, and
    /// removes it after a failure.
    /// </summary>
    /// <exception cref="OciException">A step failed; with the kernel's own words from info/last_cmd_status.</exception>
    public static void Make(ResctrlPlan plan)
    {
        bool exists = ResctrlPlan.Exists(plan.Group);
        if (!exists && plan.MustExist)
        {
            throw new OciException(
                $"/linux/intelRdt/closID: the class of service {plan.Group} does not exist, and neither l3CacheSchema, memBwSchema nor "
                + $"schemata describes it", Errno.ENOENT);
        }
        if (!exists) Check(plan, MakeDirectory(plan.Group), $"/linux/intelRdt: make the class of service {plan.Group}");
        if (exists && plan.IsNamed) Compare(plan);
        else foreach (SchemaLine line in plan.Described) Write(plan, line);
        foreach (SchemaLine line in plan.Schemata) Write(plan, line);
        if (plan.Monitor is not null)
            Check(plan, MakeDirectory(plan.Monitor), $"/linux/intelRdt/enableMonitoring: make the monitoring group {plan.Monitor}");
    }

    /// <summary>Puts a process into the groups; what it forks from then on is born there.</summary>
    public static void Enter(ResctrlPlan plan, int pid)
    {
        Check(plan, Files.WriteFileAt(Files.AT_FDCWD, $"{plan.Group}/tasks", pid.ToString()),
            $"/linux/intelRdt: write {pid} to {plan.Group}/tasks");
        if (plan.Monitor is null) return;
        Check(plan, Files.WriteFileAt(Files.AT_FDCWD, $"{plan.Monitor}/tasks", pid.ToString()),
            $"/linux/intelRdt/enableMonitoring: write {pid} to {plan.Monitor}/tasks");
    }

    /// <summary>Writes lines to the schemata of a group that is there. A failure takes back those before it.</summary>
    public static void Update(string root, string group, List<SchemaLine> lines)
    {
        ResctrlPlan plan = new() { Root = root, Group = group, IsNamed = true, Described = [], Schemata = lines, Monitor = null };
        string[] old = Encoding.UTF8.GetString(Files.ReadFileAt(Files.AT_FDCWD, $"{group}/schemata", MaxFile, out _) ?? [])
            .Split('\n', StringSplitOptions.TrimEntries);
        int written = 0;
        try
        {
            for (; written < lines.Count; written++) Write(plan, lines[written]);
        }
        catch
        {
            foreach (SchemaLine line in lines[..written])
            {
                string resource = line.Text[..(line.Text.IndexOf(':') + 1)];
                // The failure that led here is the one to tell.
                if (Array.Find(old, text => text.StartsWith(resource, StringComparison.Ordinal)) is { } before)
                    Files.WriteFileAt(Files.AT_FDCWD, $"{group}/schemata", before + "\n");
            }
            throw;
        }
    }

    /// <summary>Directory of the class of service that a process is in; null for the default one, which is everybody's.</summary>
    public static string? GroupOf(string root, int pid)
    {
        byte[]? text = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{pid}/cpu_resctrl_groups", MaxFile, out _);
        return text is null ? null : GroupOf(root, Encoding.UTF8.GetString(text));
    }

    /// <summary>The same from the text of /proc/PID/cpu_resctrl_groups: "res:NAME", where "/" is the default class.</summary>
    internal static string? GroupOf(string root, string text)
    {
        foreach (string line in text.Split('\n'))
        {
            if (line.StartsWith("res:", StringComparison.Ordinal) && line[4..].Trim('/') is { Length: > 0 } name) return $"{root}/{name}";
        }
        return null;
    }

    /// <summary>Removes groups that a launch made; those that are gone are no mistake.</summary>
    /// <param name="paths">In the order in which they were made.</param>
    /// <param name="id">The container. A class of service with another name that has got tasks meanwhile is others' by now.</param>
    public static void Remove(string[] paths, string id)
    {
        for (int i = paths.Length - 1; i >= 0; i--)
        {
            if (Path.GetFileName(paths[i]) != id && HasTasks(paths[i])) continue;
            long result = Files.UnlinkAt(Files.AT_FDCWD, paths[i], Files.AT_REMOVEDIR);
            if (result < 0 && result != -Errno.ENOENT) throw OciException.FromResult(result, $"remove the resctrl group {paths[i]}");
        }
    }

    private static bool HasTasks(string group) =>
        Files.ReadFileAt(Files.AT_FDCWD, $"{group}/tasks", MaxFile, out long error) is { Length: > 0 } || error == -Errno.EOVERFLOW;

    private static long MakeDirectory(string path) => Files.MakeDirectoryAt(Files.AT_FDCWD, path, FileModes.PublicDirectory);

    /// <summary>One line, one write: the kernel then says which one it does not like.</summary>
    private static void Write(ResctrlPlan plan, SchemaLine line) =>
        Check(plan, Files.WriteFileAt(Files.AT_FDCWD, $"{plan.Group}/schemata", line.Text + "\n"),
        $"{line.Pointer}: write {line.Text} to {plan.Group}/schemata");

    private static void Compare(ResctrlPlan plan)
    {
        if (plan.Described.Count == 0) return;
        string path = $"{plan.Group}/schemata";
        byte[] present = Files.ReadFileAt(Files.AT_FDCWD, path, MaxFile, out long error)
            ?? throw OciException.FromResult(error, $"/linux/intelRdt/closID: read {path}");
        string text = Encoding.UTF8.GetString(present);
        foreach (SchemaLine line in plan.Described)
        {
            if (Schema.Agrees(line.Text, text)) continue;
            string[] has = text.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
            throw new OciException(
                $"{line.Pointer}: {line.Text} is not what the class of service {plan.Group} has: {string.Join(", ", has)}", Errno.EEXIST);
        }
    }

    private static void Check(ResctrlPlan plan, long result, string doing)
    {
        if (result >= 0) return;
        OciException plain = OciException.FromResult(result, doing);
        string words = Encoding.UTF8.GetString(Files.ReadFileAt(Files.AT_FDCWD, $"{plan.Root}/info/last_cmd_status", MaxFile, out _) ?? [])
            .Trim();
        throw words is "" or "ok" ? plain : new OciException($"{plain.Message}: {words.Replace('\n', ' ')}", plain.Errno);
    }
}
