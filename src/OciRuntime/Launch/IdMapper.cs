using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>Writes the id maps of a new user namespace, or has it done, while its first process waits for them.</summary>
internal static class IdMapper
{
    // newuidmap may ask a directory service who the user is.
    private const int HelperSeconds = 10;

    /// <summary>Both maps. The process is the caller's own child and not reaped yet: its number cannot become another's while a helper looks at it.</summary>
    public static void Write(int pid, IdMapPlan plan, Interruption interruption)
    {
        if (plan.DenySetgroups) WriteFile(pid, "setgroups", "deny", plan.Gids.Pointer);
        Write(pid, plan.Uids, interruption);
        Write(pid, plan.Gids, interruption);
    }

    private static void Write(int pid, IdMap map, Interruption interruption)
    {
        if (map.Helper == null) WriteFile(pid, map.File, map.Lines, map.Pointer);
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
        throw new OciException($"{pointer}: write \"{text.TrimEnd().Replace("\n", ", ")}\" to {file}: {ErrnoText.Describe((int)-result)} ({ErrnoText.Name((int)-result)}){hint}", (int)-result);
    }

    /// <summary>Which of the rules of user_namespaces(7) is broken, as the end of a message; "" where none that can be looked at is.</summary>
    private static string Obstacle(string file, string text)
    {
        List<(uint First, uint Count)> own = Ranges(Files.ReadFileAt(Files.AT_FDCWD, $"/proc/self/{file}", 1 << 16, out _), column: 0), wanted = Ranges(Encoding.ASCII.GetBytes(text), column: 1);
        foreach ((uint first, uint count) in wanted)
        {
            if (!own.Exists(range => first >= range.First && first - range.First < range.Count)) return $": id {first} is not mapped in the runtime's own user namespace (/proc/self/{file})";
        }
        // It fails for another process only (capget(2)).
        Credentials.GetPermitted(out ulong permitted);
        bool mapsRoot = file == "uid_map" && wanted.Exists(static range => range.First == 0);
        return mapsRoot && (permitted >> HostFacts.CAP_SETFCAP & 1) == 0 ? ": mapping uid 0 takes CAP_SETFCAP" : "";
    }

    /// <summary>Ranges of a map: those inside (column 0) or those outside (column 1).</summary>
    private static List<(uint First, uint Count)> Ranges(byte[]? map, int column)
    {
        List<(uint, uint)> ranges = [];
        foreach (string line in Encoding.ASCII.GetString(map ?? []).Split('\n'))
        {
            string[] fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length == 3) ranges.Add((uint.Parse(fields[column]), uint.Parse(fields[2])));
        }
        return ranges;
    }

    private static void RunHelper(IdMap map, string[] arguments, Interruption interruption)
    {
        using Fd nothing = MemoryFile.Create([]);
        // No environment: it has the privilege that we lack, and needs nothing of ours.
        HelperProgram program = new() { Path = map.Helper!, Arguments = arguments, Environment = [], Input = nothing.Number, TimeoutSeconds = HelperSeconds };
        HelperResult result = HelperProcess.Run(program, interruption);
        if (!result.Succeeded) throw new OciException($"{map.Pointer}: {string.Join(' ', arguments)}: {Explain(map, result)}", Errno.EPERM);
    }

    private static string Explain(IdMap map, in HelperResult result)
    {
        if (result.Errno != 0) return $"{ErrnoText.Describe(result.Errno)} ({ErrnoText.Name(result.Errno)})";
        if (result.TimedOut) return $"killed after {HelperSeconds} s";
        string end = (result.Status & 0x7f) != 0 ? $"killed by signal {result.Status & 0x7f}" : $"exit status {result.Status >> 8 & 0xff}";
        uint user = Processes.EffectiveUid();
        string file = $"/etc/sub{map.Kind}", ranges = SubordinateIds.Of(user, file);
        return $"{end}{(result.Output.Length == 0 ? "" : $": {StepText.OneLine(result.Output)}")}: besides his own, user {user} may map "
            + (ranges.Length == 0 ? $"nothing: {file} has no line for him (as root: usermod --add-sub{map.Kind}s 100000-165535 NAME)" : $"only his ranges in {file}: {ranges}");
    }
}
