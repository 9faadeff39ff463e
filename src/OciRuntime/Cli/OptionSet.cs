namespace OciRuntime.Cli;

/// <summary>
/// A group of options that knows how to take its own values from a command line.
/// </summary>
/// <remarks>
/// The attributes on the properties are the description (help, man pages, completions); <see cref="Accept"/> is the reader.
/// Reading through reflection costs more than a millisecond of cold start, a fifth of a container launch, hence the switch by hand;
/// a test holds the two together.
/// </remarks>
public abstract class OptionSet
{
    /// <summary>Takes the option called <paramref name="name"/> (long or one-letter name, no dashes), drawing its value from <paramref name="a"/>.</summary>
    /// <returns>False when there is no such option; then nothing was drawn.</returns>
    public abstract bool Accept(string name, ref ArgumentCursor a);
}
