using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>What a row compares, as lines.</summary>
internal sealed class Outcome
{
    private readonly CommandResult _result;

    public Outcome(Row row, Subject subject, CommandResult result)
    {
        _result = result;
        if (row.Compared.HasFlag(Compared.Exit)) Lines.Add($"exit {result.ExitCode}");
        if (row.Compared.HasFlag(Compared.Stdout))
            Add("stdout", row.Shape is { } shape ? subject.Anonymous(shape(result.Stdout)) : Presence(result.Stdout));
        if (row.Compared.HasFlag(Compared.Stderr)) Lines.Add($"stderr {Presence(result.Stderr)}");
        if (row.Effect is { } effect) Add("effect", subject.Anonymous(Observe(effect, subject)));
        if (row.Compared.HasFlag(Compared.Containers)) Lines.Add($"containers {subject.Containers()}");
    }

    public List<string> Lines { get; } = [];

    /// <summary>The effect could not be read. For a peer that is an observation, too.</summary>
    public bool IsBlind { get; private set; }

    public bool Says(string text) =>
        _result.Stdout.Contains(text, StringComparison.Ordinal) || _result.Stderr.Contains(text, StringComparison.Ordinal);

    /// <summary>Equal; or, when <paramref name="mayHaveMore"/>, all that the peer has and more.</summary>
    public bool Matches(Outcome peer, bool mayHaveMore) => mayHaveMore ? !peer.Lines.Except(Lines).Any() : Lines.SequenceEqual(peer.Lines);

    /// <summary>The lines of <paramref name="peer"/> that are not here.</summary>
    public string Missing(Outcome peer) => string.Join(" ~ ", peer.Lines.Except(Lines));

    public override string ToString() =>
        $"{string.Join(" ~ ", Lines)}\n      > {Beginning(_result.Stdout)}\n      ! {Beginning(_result.Stderr)}";

    private static string Beginning(string text) => text.Length > 200 ? text[..200] : text;

    private string Observe(Func<Subject, string> effect, Subject subject)
    {
        try
        {
            return effect(subject);
        }
        catch (Exception e) when (e is IOException or System.Text.Json.JsonException or InvalidOperationException or TimeoutException)
        {
            IsBlind = true;
            return e.GetType().Name;
        }
    }

    private void Add(string what, string text) => Lines.AddRange(text.Split('\n').Select(line => $"{what} {line}"));

    private static string Presence(string text) => text.Length == 0 ? "nothing" : "something";
}
