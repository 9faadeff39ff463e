using OciRuntime.Init;

namespace OciRuntime.Plan;

/// <summary>
/// One step as the parent sees it: the same fields as <see cref="InitStep"/>, with managed values. <see cref="PlanCompiler"/> makes the native
/// form, <see cref="StepText"/> the words.
/// </summary>
internal sealed class PlanStep(InitOp op, Origin origin)
{
    public InitOp Op { get; } = op;
    public Origin Origin { get; } = origin;
    public InitFlags Flags { get; init; }
    public long A { get; init; }
    public long B { get; init; }
    public long C { get; init; }
    public string? Text1 { get; init; }
    public string? Text2 { get; init; }
    public string? Fallback { get; init; }

    /// <summary>fsconfig parameters of a new file system; a null value is a flag.</summary>
    public List<KeyValuePair<string, string?>>? Options { get; init; }

    /// <summary>Attributes of a bind.</summary>
    public BindAttributes Bind { get; init; }

    /// <summary>Id mapping of a bind.</summary>
    public MountIdMap? IdMap { get; init; }

    /// <summary>Namespaces to join.</summary>
    public List<NamespacePath>? Joins { get; init; }

    /// <summary>Supplementary groups.</summary>
    public uint[]? Groups { get; init; }

    /// <summary>The options of a new file system, where they are for mount(2).</summary>
    public MountCallPlan? Call { get; init; }

    /// <summary>Candidate paths of the program.</summary>
    public string[]? Candidates { get; init; }

    /// <summary>The seccomp filter.</summary>
    public Seccomp.SeccompProgram? Filter { get; init; }

    /// <summary>Scheduling policy.</summary>
    public Linux.SchedAttr Schedule { get; init; }

    /// <summary>NUMA nodes or CPUs, bit n for number n.</summary>
    public ulong[]? Nodes { get; init; }

    /// <summary>Numbers of mounts that a removal must leave alone.</summary>
    public ulong[]? ProtectiveMounts { get; init; }

    /// <summary>The hook.</summary>
    public Spec.Hook? Hook { get; init; }
}

/// <summary>A namespace given by path.</summary>
/// <param name="Type">The spec's word.</param>
/// <param name="Flag">CLONE_NEW… flag, which setns(2) checks against the file.</param>
/// <param name="Path">Path on the host.</param>
/// <param name="Index">Element of linux.namespaces.</param>
internal readonly record struct NamespacePath(string Type, ulong Flag, string Path, int Index)
{
    public Origin Origin => new("/linux/namespaces", Index, "path");
}
