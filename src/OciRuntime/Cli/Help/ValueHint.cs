using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>What a shell can offer where a value or an argument is to be typed.</summary>
public enum ValueKind
{
    /// <summary>There is no value: a switch.</summary>
    None,

    /// <summary>Nothing that could be guessed.</summary>
    Any,

    /// <summary>One of a few words.</summary>
    Words,
    File,
    Directory,

    /// <summary>The name of a container that is there.</summary>
    Container,
}

/// <summary>A <see cref="ValueKind"/>, and the words when they are known.</summary>
public sealed record ValueHint(ValueKind Kind, string[] Words)
{
    private static readonly string[] Signals =
    [
        "TERM", "KILL", "HUP", "INT", "QUIT", "USR1", "USR2", "STOP", "CONT", "ABRT", "ALRM", "BUS", "CHLD", "FPE", "ILL", "IO", "PIPE",
        "PROF", "PWR", "SEGV", "STKFLT", "SYS", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ];

    /// <summary>That of a switch.</summary>
    public static ValueHint None => new(ValueKind.None, []);

    public static ValueHint OneOf(params string[] words) => new(ValueKind.Words, words);

    /// <summary>
    /// What the word for the value in the help says: <c>DIR</c>, <c>FILE</c> and <c>PATH</c> are what they are, <c>0|1</c> are words.
    /// </summary>
    public static ValueHint OfOption(string metaValue) => metaValue switch
    {
        "DIR" => new(ValueKind.Directory, []),
        "FILE" or "PATH" => new(ValueKind.File, []),
        "CAP" => OneOf(CapabilityNames.All),
        _ => OneOfTheAlternativesIn(metaValue),
    };

    /// <summary>What an argument's name says. A command that makes a container wants a name that is not taken.</summary>
    public static ValueHint OfArgument(VerbOptions verb, string name, bool repeated) => name switch
    {
        "container-id" => new(verb is BundleOptions ? ValueKind.Any : ValueKind.Container, []),
        "file" => new(ValueKind.File, []),
        "signal" => OneOf(Signals),
        // exec's command is the container's.
        "command" when !repeated => OneOf(Array.ConvertAll(Verbs.All, static v => v.VerbName)),
        _ => OneOfTheAlternativesIn(name),
    };

    private static ValueHint OneOfTheAlternativesIn(string text) => text.Contains('|') ? OneOf(text.Split('|')) : new(ValueKind.Any, []);
}
