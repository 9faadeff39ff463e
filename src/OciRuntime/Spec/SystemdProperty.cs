namespace OciRuntime.Spec;

/// <summary>A property of the systemd unit that holds the container, from an annotation <c>org.systemd.property.NAME</c>.</summary>
/// <param name="Name">As systemd's D-Bus interface has it (org.freedesktop.systemd1(5)).</param>
/// <param name="Value">Its value with its type.</param>
public sealed record SystemdProperty(string Name, VariantValue Value)
{
    private const int MinNameLength = 3;
    private const ulong MicrosecondsPerSecond = 1_000_000, MaxSeconds = ulong.MaxValue / MicrosecondsPerSecond;

    /// <summary>The properties among the annotations. What is wrong with one is reported, and it is left out.</summary>
    public static List<SystemdProperty> Read(SpecMap<string> annotations, SpecProblems problems)
    {
        ArgumentNullException.ThrowIfNull(annotations);
        ArgumentNullException.ThrowIfNull(problems);
        List<SystemdProperty> properties = [];
        foreach ((string? key, string? text) in annotations.AsSpan())
        {
            if (!key.StartsWith(Annotations.SystemdPropertyPrefix, StringComparison.Ordinal)) continue;
            try
            {
                properties.Add(Parse(key[Annotations.SystemdPropertyPrefix.Length..], text));
            }
            catch (FormatException e)
            {
                problems.Error(Annotations.Pointer(key), SpecText.Quote(text), e.Message);
            }
        }
        return properties;
    }

    /// <exception cref="FormatException">With what is wrong, as the end of a sentence.</exception>
    private static SystemdProperty Parse(string name, string text)
    {
        if (name.Length < MinNameLength || !name.All(char.IsAsciiLetter))
            throw new FormatException($"is the value of a systemd property whose name is not {MinNameLength} or more letters");
        VariantValue value = VariantText.Parse(text);
        return IsInSeconds(name) ? new(name[..^3] + "USec", InMicroseconds(value)) : new(name, value);
    }

    // systemd documents TimeoutStopSec=, but its interface knows TimeoutStopUSec only.
    private static bool IsInSeconds(string name) =>
        name.EndsWith("Sec", StringComparison.Ordinal) && name.Length > 3 && char.IsAsciiLetterLower(name[^4]);

    private static VariantValue InMicroseconds(VariantValue value)
    {
        if (value.Signature != "d" && !value.IsInteger) throw new FormatException("must be a number of seconds");
        // A negative integer is a very large one here.
        bool inRange = value.IsInteger ? value.Bits <= MaxSeconds : value.Float is >= 0 and < MaxSeconds;
        if (!inRange) throw new FormatException("is out of the range of a time");
        return VariantValue.OfNumber("t", value.IsInteger ? value.Bits * MicrosecondsPerSecond
            : (ulong)(value.Float * MicrosecondsPerSecond));
    }
}
