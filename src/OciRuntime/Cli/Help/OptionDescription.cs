namespace OciRuntime.Cli;

/// <summary>An option as help, man pages and completions show it.</summary>
/// <param name="Short">One-letter name, or null.</param>
/// <param name="Long">Long name, without dashes; empty when there is none, which only hidden options lack.</param>
/// <param name="MetaValue">What stands for the value (<c>DIR</c>); null for a switch.</param>
/// <param name="Text">What it does, with the default if that is not in <paramref name="Default"/>.</param>
/// <param name="Default">The default value as one would type it, or null.</param>
/// <param name="Hidden">Accepted for compatibility; not shown.</param>
/// <param name="Repeated">May be given several times, and each adds something.</param>
/// <param name="Value">What a shell can offer for the value.</param>
public sealed record OptionDescription(
    string? Short, string Long, string? MetaValue, string Text, string? Default, bool Hidden, bool Repeated, ValueHint Value)
{
    /// <summary>The names as they are typed, the short one first: <c>-b</c>, <c>--bundle</c>.</summary>
    public IEnumerable<string> Spellings => Short is null ? [$"--{Long}"] : [$"-{Short}", $"--{Long}"];
}

/// <summary>An argument as help, man pages and completions show it.</summary>
public sealed record ArgumentDescription(string Name, bool Required, bool Repeated, string Text, string? Default, ValueHint Value)
{
    public string Usage => (Required ? $"<{Name}>" : $"[{Name}]") + (Repeated ? "..." : "");
}
