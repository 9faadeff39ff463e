using System.Globalization;
using System.Text;
using OciRuntime.Cgroups;
using OciRuntime.Cli;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun ps [--format json|table] ID [PS-OPTIONS]</c>.</summary>
internal static class PsCommand
{
    // What ps prints about a host full of processes with long command lines; beyond it something is wrong.
    private const int MaxOutput = 256 << 20;

    public static int Run(GlobalOptions g, PsOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        ContainerState state = entry.ReadState();
        int[] pids = Pids(state);
        Output.Write(o.Format == ListFormat.Json ? Json(pids) : Table(pids, o.PsArguments));
        return ExitCodes.Success;
    }

    private static int[] Pids(ContainerState state)
    {
        // Before it has a first process, the cgroup that the journal names may be another's.
        if (state.Init.IsNone) return [];
        int[] pids = new CgroupControl(state.CgroupDirectories).Pids();
        if (pids.Length > 0 || !state.Init.IsAlive()) return pids;
        // What an ordinary user could not make, or --cgroup-manager disabled.
        if (state.PrivatePidNamespace) return NamespaceProcesses.Of(state.Init);
        throw new OciException(
            $"container {state.Id} has no cgroup of its own and shares its pid namespace: nothing tells its processes from others",
            Errno.ENOENT);
    }

    // "null" is Go's encoding of a nil slice, which runc prints for a container that has stopped.
    private static string Json(int[] pids) => pids.Length == 0 ? "null\n" : $"[{string.Join(',', pids)}]\n";

    private static string Table(int[] pids, IEnumerable<string> arguments)
    {
        string[] given = [.. arguments];
        string[] lines = RunPs(given.Length == 0 ? ["-ef"] : given).Split('\n');
        return Filter(lines, [.. pids]);
    }

    /// <summary>The header, and the lines whose column PID is one of <paramref name="pids"/>.</summary>
    internal static string Filter(string[] lines, HashSet<int> pids)
    {
        int column = Array.IndexOf(Fields(lines[0]), "PID");
        // runc's words.
        if (column < 0) throw new OciException("couldn't find PID field in ps output");
        StringBuilder text = new StringBuilder(lines[0]).Append('\n');
        foreach (string line in lines.AsSpan(1))
        {
            if (line.Length == 0) continue;
            string[] fields = Fields(line);
            // A column before it may hold blanks of a process's own choice: its line is then nobody's, and the others are still to be seen.
            if (column < fields.Length && int.TryParse(fields[column], NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && pids.Contains(pid))
            {
                text.Append(VisibleText.Line(line)).Append('\n');
            }
        }
        return text.ToString();
    }

    private static string[] Fields(string line) => line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string RunPs(string[] arguments)
    {
        string path = ProgramPath.Find("ps") ?? throw new OciException("exec: \"ps\": executable file not found in $PATH", Errno.ENOENT);
        using Fd input = MemoryFile.Create([]);
        using Fd output = MemoryFile.Create([]);
        // COLUMNS, PS_FORMAT and the locale are the caller's to choose.
        HelperResult result =
            HelperProcess.Run(new HelperProgram
            {
                Path = path,
                Arguments = ["ps", .. arguments],
                Environment = null,
                Input = input.Number,
                Stdout = output.Number
            }, null);
        if (result.Errno != 0) throw OciException.FromResult(-result.Errno, $"execute {path}");
        string text = MemoryFile.Read(output.Number, MaxOutput);
        if (result.Status.Succeeded) return text;
        throw new OciException($"ps {string.Join(' ', arguments)}: {result.Status}: {(result.Output + text).Trim()}");
    }
}
