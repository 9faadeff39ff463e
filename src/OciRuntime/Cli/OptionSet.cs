namespace OciRuntime.Cli;

/// <summary>A group of options that takes its own values from a command line, and describes them.</summary>
/// <remarks>
/// What there is say CommandLineParser's attributes on the properties. The code is made from them when the program is compiled
/// (OciRuntime.Generators): reading them by reflection at every start would cost more than a millisecond, a fifth of a container's launch.
/// </remarks>
public abstract class OptionSet
{
    /// <summary>
    /// Takes the option called <paramref name="name"/> (long or one-letter name, no dashes), drawing its value from <paramref name="a"/>.
    /// </summary>
    /// <returns>False when there is no such option; then nothing was drawn.</returns>
    public abstract bool Accept(string name, ref ArgumentCursor a);

    /// <summary>All of them, also those that are hidden, by long name.</summary>
    public abstract OptionDescription[] DescribeOptions();
}
