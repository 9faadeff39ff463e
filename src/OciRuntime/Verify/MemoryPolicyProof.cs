using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using static OciRuntime.Spec.SpecWords;

namespace OciRuntime.Verify;

/// <summary>
/// The first process's memory policy. The kernel shows it with each part of the memory that has none of its own (/proc/PID/numa_maps):
/// with the first stack, which is hardly ever given one.
/// </summary>
internal static class MemoryPolicyProof
{
    // As mpol_to_str() has them, and in the order in which one begins another.
    private static readonly (string Shown, string Mode)[] Modes =
    [
        ("default", MPOL_DEFAULT), ("prefer (many)", MPOL_PREFERRED_MANY), ("prefer", MPOL_PREFERRED), ("bind", MPOL_BIND),
        ("weighted interleave", MPOL_WEIGHTED_INTERLEAVE), ("interleave", MPOL_INTERLEAVE), ("local", MPOL_LOCAL),
    ];

    public static void Add(Report report, Subject subject, FileTree tree)
    {
        if (subject.Plan.Find<MemoryPolicyStep>() is not { } step) return;
        report.Add("scheduling", step.Origin.ToString(), step.Describe(), Look(subject, tree, step.Policy));
    }

    private static Seen Look(Subject subject, FileTree tree, MemoryPolicy wanted)
    {
        if (subject.MayServe(tree)) return Seen.Unchecked(Subject.Served);
        if (subject.Init.Beginning("numa_maps", out long error) is not { } text)
        {
            return Seen.Unchecked(error == -Errno.ENOENT ? "the kernel has no NUMA support, or no file for it"
                : ErrnoText.Full((int)-error));
        }
        // "7ffd5e8c0000 bind=static:0-1 stack …"; the last line may be cut off.
        string[] shown = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line[(line.IndexOf(' ') + 1)..])];
        if (shown.Length == 0) return Seen.Unchecked("the kernel shows no memory of it");
        string its = Array.Find(shown, static line => line.Split(' ').Contains("stack")) ?? shown[0];
        if (Is(wanted, its)) return Seen.Held;
        // Any process may change its own.
        return Subject.Other(!subject.IsWaiting, $"it is {Policy(its)}");
    }

    internal static bool Is(MemoryPolicy wanted, string line)
    {
        (string shown, string mode) = Array.Find(Modes, one => line.StartsWith(one.Shown, StringComparison.Ordinal));
        // To prefer none is to prefer the local one (set_mempolicy(2)).
        bool isLocal = mode == MPOL_LOCAL && wanted.Mode == MPOL_PREFERRED && string.IsNullOrEmpty(wanted.Nodes);
        if (shown is null || (mode != wanted.Mode && !isLocal)) return false;
        string rest = Policy(line)[shown.Length..];
        bool isRelative = wanted.Flags.Contains(MPOL_F_RELATIVE_NODES);
        if (rest.Contains("static") != wanted.Flags.Contains(MPOL_F_STATIC_NODES) || rest.Contains("relative") != isRelative) return false;
        int colon = rest.IndexOf(':');
        // Those that the cpuset does not allow are left out, and relative ones have other numbers.
        return colon < 0 ? isLocal || string.IsNullOrEmpty(wanted.Nodes)
            : isRelative || CpuList.IsWithin(rest[(colon + 1)..], wanted.Nodes ?? "", CpuList.MaxNodes);
    }

    /// <summary>A line up to what it says of the memory itself.</summary>
    private static string Policy(string line)
    {
        int blank = line.IndexOf(' ', line.StartsWith("prefer (", StringComparison.Ordinal) ? "prefer (".Length
            : line.StartsWith("weighted ", StringComparison.Ordinal) ? "weighted ".Length : 0);
        return blank < 0 ? line : line[..blank];
    }
}
