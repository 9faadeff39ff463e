namespace OciRuntime.Verify;

/// <summary>What has become of a promise.</summary>
internal enum Outcome
{
    /// <summary>As promised, or stricter.</summary>
    Held,

    /// <summary>Nobody can tell, for the reason that is given.</summary>
    Unchecked,

    /// <summary>
    /// Not as promised, and somebody had the right to change it since: the container itself, or whoever manages its limits.
    /// </summary>
    Drifted,

    /// <summary>Not as promised, and nobody in the container had the right to change it.</summary>
    Broken,
}

/// <summary>What was seen of a promise.</summary>
/// <param name="Outcome">What it means.</param>
/// <param name="Found">What there is instead, or why it cannot be told; "" where it is as promised.</param>
internal readonly record struct Seen(Outcome Outcome, string Found)
{
    public static Seen Held => new(Outcome.Held, "");

    public static Seen Unchecked(string why) => new(Outcome.Unchecked, why);
}

/// <summary>Something the configuration promises.</summary>
/// <param name="Subject">What it stands under.</param>
/// <param name="Pointer">Where config.json asks for it; "" for what the runtime does by itself.</param>
/// <param name="Words">What is promised.</param>
internal sealed record Promise(string Subject, string Pointer, string Words);

/// <summary>A promise with what has become of it.</summary>
/// <param name="Promise">The promise.</param>
/// <param name="Seen">What was seen.</param>
/// <param name="Pid">The process in which it is not as promised, as the host numbers it; 0 for what is not about one.</param>
internal sealed record Finding(Promise Promise, Seen Seen, int Pid = 0);
