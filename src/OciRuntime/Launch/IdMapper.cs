using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>Writes the id maps of a new user namespace, or has it done, while its first process waits for them.</summary>
internal static class IdMapper
{
    // newuidmap may ask a directory service who the user is.
    private const int HelperSeconds = 10;

    // 340 lines at most.
    private const int MaxMap = 1 << 16;

    /// <summary>
    /// Both maps. The process is the caller's own child and not reaped yet: its number cannot become another's while a helper looks at it.
    /// </summary>
    public static void Write(int pid, IdMapPlan plan, Interruption? interruption)
    {
        if (plan.DenySetgroups) WriteFile(pid, "setgroups", "deny", plan.Gids.Pointer);
        Write(pid, plan.Uids, interruption);
        Write(pid, plan.Gids, interruption);
    }

    /// <summary>The same in words.</summary>
    public static List<RuntimeAction> Words(IdMapPlan plan)
    {
        List<RuntimeAction> words = [];
        if (plan.DenySetgroups) words.Add(new("write deny to setgroups", plan.Gids.Pointer));
        foreach (IdMap map in (ReadOnlySpan<IdMap>)[plan.Uids, plan.Gids])
        {
            words.Add(new(map.Helper is null ? $"write {map.File}: {map.Words}"
                : $"run {string.Join(' ', map.Arguments("PID"))}", map.Pointer));
        }
        return words;
    }

    private static void Write(int pid, IdMap map, Interruption? interruption)
    {
        if (map.Helper is null) WriteFile(pid, map.File, map.Lines, map.Pointer);
        else RunHelper(map, map.Arguments(pid.ToString()), interruption);
    }

    /// <summary>Writes a file of a process whose user namespace has no maps yet.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="file">uid_map, gid_map or setgroups.</param>
    /// <param name="text">All of it, as the kernel takes one write only.</param>
    /// <param name="pointer">Where it comes from, for the error.</param>
    public static void WriteFile(int pid, string file, string text, string pointer)
    {
        long result = Files.WriteFileAt(Files.AT_FDCWD, $"/proc/{pid}/{file}", text);
        if (result >= 0) return;
        string hint = result == -Errno.EPERM && file != "setgroups" ? Obstacle(file, text) : "";
        throw new OciException($"{pointer}: write \"{text.TrimEnd().Replace("\n", ", ")}\" to {file}: {ErrnoText.Full((int)-result)}{hint}",
            (int)-result);
    }

    /// <summary>
    /// Which of the rules of user_namespaces(7) is broken, as the end of a message; "" where none that can be looked at is.
    /// </summary>
    private static string Obstacle(string file, string text)
    {
        List<IdMapping> own = Read("self", file, out _) ?? [], wanted = Parse(text);
        foreach (IdMapping range in wanted)
        {
            if (!own.Exists(one => one.Maps(range.HostID)))
                return $": id {range.HostID} is not mapped in the runtime's own user namespace (/proc/self/{file})";
        }
        bool mapsRoot = file == "uid_map" && wanted.Exists(static range => range.HostID == 0);
        return mapsRoot && !HostFacts.Probe().Has(Credentials.CAP_SETFCAP) ? ": mapping uid 0 takes CAP_SETFCAP" : "";
    }

    /// <summary>
    /// The map of a process, its ids outside as whoever reads it has them (user_namespaces(7)); null with the negated errno.
    /// </summary>
    /// <param name="process">Its pid, or "self".</param>
    /// <param name="file">uid_map or gid_map.</param>
    /// <param name="error">The errno.</param>
    public static List<IdMapping>? Read(string process, string file, out long error) =>
        Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{process}/{file}", MaxMap, out error) is { } map
        ? Parse(Encoding.ASCII.GetString(map)) : null;

    private static List<IdMapping> Parse(string map)
    {
        List<IdMapping> ranges = [];
        foreach (string line in map.Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 3)
                ranges.Add(new() { ContainerID = uint.Parse(fields[0]), HostID = uint.Parse(fields[1]), Size = uint.Parse(fields[2]) });
        }
        return ranges;
    }

    private static void RunHelper(IdMap map, string[] arguments, Interruption? interruption)
    {
        using Fd nothing = MemoryFile.Create([]);
        // No environment: it has the privilege that we lack, and needs nothing of ours.
        HelperProgram program =
            new() { Path = map.Helper!, Arguments = arguments, Environment = [], Input = nothing.Number, TimeoutSeconds = HelperSeconds };
        HelperResult result = HelperProcess.Run(program, interruption);
        if (!result.Succeeded) throw new OciException($"{map.Pointer}: {string.Join(' ', arguments)}: {Explain(map, result)}", Errno.EPERM);
    }

    private static string Explain(IdMap map, in HelperResult result)
    {
        if (result.Errno != 0) return ErrnoText.Full(result.Errno);
        if (result.TimedOut) return $"killed after {HelperSeconds} s";
        uint user = Processes.EffectiveUid();
        string file = $"/etc/sub{map.Kind}", ranges = SubordinateIds.Of(user, file);
        return $"{result.Status}{(result.Output.Length == 0 ? "" : $": {VisibleText.Line(result.Output)}")}: besides his own, user "
            + $"{user} may map "
            + (ranges.Length == 0 ? $"nothing: {file} has no line for him (as root: usermod --add-sub{map.Kind}s 100000-165535 NAME)"
            : $"only his ranges in {file}: {ranges}");
    }
}
