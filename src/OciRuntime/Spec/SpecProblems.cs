using System.Text;

namespace OciRuntime.Spec;

/// <summary>One thing wrong with a config.json.</summary>
/// <param name="Pointer">RFC 6901 JSON pointer of the value; empty means the whole document.</param>
/// <param name="Value">The offending value as it stands in the file, shortened; null when it is absent.</param>
/// <param name="Message">What is wrong and what is allowed, one line.</param>
public readonly record struct SpecProblem(string Pointer, string? Value, string Message)
{
    /// <summary>What stands for the whole document; null means config.json.</summary>
    public string? Document { get; init; }

    /// <summary>1-based line in the file, 0 when not known.</summary>
    public int Line { get; init; }

    /// <summary>1-based column in the file, counted in bytes; 0 when not known.</summary>
    public int Column { get; init; }

    /// <summary>One line: <c>/mounts/7/destination: "" must not be empty (line 31:14)</c>.</summary>
    public override string ToString()
    {
        StringBuilder text = new StringBuilder(Pointer.Length == 0 ? Document ?? "config.json" : Pointer).Append(": ");
        if (Value is not null) text.Append(Value).Append(' ');
        text.Append(Message);
        if (Line > 0) text.Append(" (line ").Append(Line).Append(':').Append(Column).Append(')');
        return text.ToString();
    }
}

/// <summary>Everything found wrong with a config.json, errors and warnings apart.</summary>
/// <param name="document">What is read when it is not a config.json.</param>
public sealed class SpecProblems(string? document = null)
{
    /// <summary>
    /// No more than this many of each kind are kept: a hostile file could otherwise turn each of its bytes into a message.
    /// </summary>
    public const int MaxKept = 100;

    private readonly List<SpecProblem> _errors = [];
    private readonly List<SpecProblem> _warnings = [];
    private int _dropped;

    /// <summary>Reasons to refuse the file.</summary>
    public IReadOnlyList<SpecProblem> Errors => _errors;

    /// <summary>Things that are accepted but worth a line in the log.</summary>
    public IReadOnlyList<SpecProblem> Warnings => _warnings;

    /// <summary>Whether the file has to be refused.</summary>
    public bool HasErrors => _errors.Count > 0;

    /// <summary>No room for further errors: looking for more is a waste.</summary>
    internal bool IsFull => _errors.Count >= MaxKept;

    /// <summary>The errors: a single one on one line, several below a headline.</summary>
    public override string ToString()
    {
        if (_errors.Count == 0) return "";
        if (_errors.Count == 1) return _errors[0].ToString();
        StringBuilder text = new StringBuilder().Append(_errors.Count + _dropped).Append(" problems:");
        foreach (SpecProblem problem in Errors) text.Append("\n  ").Append(problem.ToString());
        if (_dropped > 0) text.Append("\n  and ").Append(_dropped).Append(" more");
        return text.ToString();
    }

    /// <summary>The warnings, a line each.</summary>
    internal void AddWarningsTo(List<string> lines)
    {
        foreach (SpecProblem warning in _warnings)
            lines.Add(warning.ToString());
    }

    internal void Error(in SpecProblem problem)
    {
        if (IsFull) _dropped++;
        else _errors.Add(problem with { Document = document });
    }

    internal void Error(string pointer, string? value, string message) => Error(new SpecProblem(pointer, value, message));

    internal void Warn(string pointer, string? value, string message)
    {
        if (_warnings.Count < MaxKept) _warnings.Add(new SpecProblem(pointer, value, message));
    }
}
