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
        "TERM", "KILL", "HUP", "INT", "QUIT", "USR1", "USR2", "STOP", "CONT", "ABRT", "ALRM", "BUS", "CHLD", "FPE", "ILL", "IO", "PIPE", "PROF", "PWR", "SEGV",
        "STKFLT", "SYS", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
    ];

    /// <summary>What an option's type and the word for its value in the help say: <c>DIR</c>, <c>FILE</c> and <c>PATH</c> are what they are, <c>0|1</c> are words.</summary>
    public static ValueHint OfOption(Type type, string metaValue)
    {
        Type value = Nullable.GetUnderlyingType(type) ?? type;
        if (value == typeof(bool)) return new(ValueKind.None, []);
        if (value.IsEnum) return OneOf(Array.ConvertAll(Enum.GetNames(value), name => name.ToLowerInvariant()));
        return metaValue switch
        {
            "DIR" => new(ValueKind.Directory, []),
            "FILE" or "PATH" => new(ValueKind.File, []),
            "CAP" => OneOf(CapabilityNames.All),
            _ => OneOfTheAlternativesIn(metaValue),
        };
    }

    /// <summary>What an argument's name says. A command that makes a container wants a name that is not taken.</summary>
    public static ValueHint OfArgument(Type optionsType, string name, bool repeated) => name switch
    {
        "container-id" => new(optionsType.IsAssignableTo(typeof(BundleOptions)) ? ValueKind.Any : ValueKind.Container, []),
        "file" => new(ValueKind.File, []),
        "signal" => OneOf(Signals),
        "engine" => OneOf(SetupOptions.Engines),
        // exec's command is the container's.
        "command" when !repeated => OneOf(Array.ConvertAll(Verbs.All, v => v.Name)),
        _ => OneOfTheAlternativesIn(name),
    };

    private static ValueHint OneOf(string[] words) => new(ValueKind.Words, words);

    private static ValueHint OneOfTheAlternativesIn(string text) => text.Contains('|') ? OneOf(text.Split('|')) : new(ValueKind.Any, []);
}
