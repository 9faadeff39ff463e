using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>What of a command's outcome is compared.</summary>
[Flags]
internal enum Compared
{
    /// <summary>The exit code.</summary>
    Exit = 1,

    /// <summary>Stdout: whether there is anything, or what <see cref="Row.Shape"/> makes of it.</summary>
    Stdout = 2,

    /// <summary>Whether there is anything on stderr.</summary>
    Stderr = 4,

    /// <summary>All containers and their status afterwards.</summary>
    Containers = 8,

    /// <summary>For mistakes on the command line: runc has its help on stdout beside the error, which is one row of its own.</summary>
    Mistake = Exit | Stderr | Containers,

    /// <summary>Everything.</summary>
    All = Exit | Stdout | Stderr | Containers,
}

/// <summary>What ocirun's outcome equals. The claim is exact: that of a peer that is not named has to be another one.</summary>
/// <param name="Runc">Equal to runc's.</param>
/// <param name="Crun">Equal to crun's.</param>
/// <param name="Reason">Why not runc's; docs/compatibility.md has the same words.</param>
internal sealed record Relation(bool Runc, bool Crun, string? Reason)
{
    public static readonly Relation SameAsBoth = new(true, true, null);

    /// <summary>No reason is needed: where the two differ, runc is what clients were written for.</summary>
    public static readonly Relation SameAsRunc = new(true, false, null);

    public static Relation SameAsCrun(string reason) => new(false, true, reason);

    public static Relation Differs(string reason) => new(false, false, reason);
}

/// <summary>One command line, given to each runtime, and how the outcomes compare.</summary>
/// <param name="Name">Unique within its scenario.</param>
/// <param name="Command">
/// The words as one would type them, in single quotes where they have blanks; {id}, {bundle}, {dir} (an empty directory), {root} and
/// {socket} (one that listens) are filled in. `--root {root}` goes before it, unless <see cref="OwnRoot"/>.
/// </param>
internal sealed record Row(string Name, string Command)
{
    public Relation Relation { get; init; } = Relation.SameAsBoth;

    public Compared Compared { get; init; } = Compared.All;

    /// <summary>What of stdout has to be the same, and what may not: pids, times.</summary>
    public Func<string, string>? Shape { get; init; }

    /// <summary>ocirun's outcome may have more lines than that of its peers, which are older than the specification it follows.</summary>
    public bool MayHaveMore { get; init; }

    /// <summary>Texts in the output of ocirun, and of runc when the relation names it; crun has others.</summary>
    public string[] Says { get; init; } = [];

    /// <summary>What has to happen first: waiting, mostly.</summary>
    public Action<Subject>? Before { get; init; }

    /// <summary>One more fact, read from files or the kernel.</summary>
    public Func<Subject, string>? Effect { get; init; }

    /// <summary>Variables to set; {id} and the others are filled in.</summary>
    public Dictionary<string, string> Env { get; init; } = [];

    /// <summary>Text on stdin.</summary>
    public string? Stdin { get; init; }

    /// <summary>How many descriptors, of /dev/null, it inherits from 3 on.</summary>
    public int Descriptors { get; init; }

    /// <summary>What executes the runtime: a shell that knows its own pid.</summary>
    public string[] Launcher { get; init; } = [];

    /// <summary>The command line says itself where the state is.</summary>
    public bool OwnRoot { get; init; }
}

/// <summary>Rows that share a bundle, a state directory and what the rows before have made of them.</summary>
internal sealed record Scenario(string Name, params Row[] Rows)
{
    /// <summary>Changes to the usual bundle, whose program sleeps.</summary>
    public Action<TestBundle>? Bundle { get; init; }

    /// <summary>What of the kernel its outcomes depend on.</summary>
    public Action? Needs { get; init; }
}
