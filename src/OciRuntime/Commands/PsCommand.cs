using System.Globalization;
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
    // ps cuts command lines at 128 KiB itself.
    private const int MaxLine = 1 << 20, MaxError = 64 << 10;

    public static int Run(GlobalOptions g, PsOptions o)
    {
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        ContainerState state = entry.ReadState();
        int[] pids = Pids(state);
        if (o.Format == ListFormat.Json) Output.Write(Json(pids));
        else PrintTable(pids, o.PsArguments);
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

    /// <summary>Line by line: what the processes of a host call themselves may be more than there is room for.</summary>
    private static void PrintTable(int[] pids, IEnumerable<string> arguments)
    {
        string[] given = [.. arguments];
        using Fd output = MemoryFile.Create([]);
        RunPs(given.Length == 0 ? ["-ef"] : given, output);
        Output.WriteLines(Filter(MemoryFile.ReadLines(output.Number, MaxLine), [.. pids]));
    }

    /// <summary>The header, and the lines whose column PID is one of <paramref name="pids"/>.</summary>
    internal static IEnumerable<string> Filter(IEnumerable<string> lines, HashSet<int> pids)
    {
        int column = -1;
        foreach (string line in lines)
        {
            string[] fields = line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
            if (column < 0)
            {
                column = Array.IndexOf(fields, "PID");
                // runc's words.
                if (column < 0) break;
                yield return line;
            }
            // A column before it may hold blanks of a process's own choice: its line is then nobody's, and the others are still to be seen.
            else if (column < fields.Length && int.TryParse(fields[column], NumberStyles.None, CultureInfo.InvariantCulture, out int pid)
                && pids.Contains(pid))
            {
                yield return VisibleText.Line(line);
            }
        }
        if (column < 0) throw new OciException("couldn't find PID field in ps output");
    }

    private static void RunPs(string[] arguments, Fd output)
    {
        string path = ProgramPath.Find("ps") ?? throw new OciException("exec: \"ps\": executable file not found in $PATH", Errno.ENOENT);
        using Fd input = MemoryFile.Create([]);
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
        if (result.Status.Succeeded) return;
        string? text = MemoryFile.ReadLines(output.Number, MaxError).FirstOrDefault();
        throw new OciException($"ps {string.Join(' ', arguments)}: {result.Status}: {(result.Output + text).Trim()}");
    }
}
