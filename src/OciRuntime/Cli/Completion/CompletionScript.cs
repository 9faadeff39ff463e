namespace OciRuntime.Cli;

/// <summary>
/// The completion scripts of the shells, made from the options' attributes. They know where each word of a command line belongs; the one thing
/// they ask for at run time is the containers' names, and what comes back is offered as it is: nothing in the scripts evaluates data.
/// </summary>
public static class CompletionScript
{
    /// <summary>The script for bash, zsh or fish.</summary>
    public static string For(string shell) => shell switch
    {
        "bash" => BashCompletion.Script(),
        "zsh" => ZshCompletion.Script(),
        "fish" => FishCompletion.Script(),
        _ => throw new ArgumentOutOfRangeException(nameof(shell), shell, null),
    };

    /// <summary>Commands after whose first argument everything belongs to somebody else.</summary>
    internal static IEnumerable<string> VerbsWithPayload => Verbs.All.Where(v => v.CreateOptions().OptionsEndAtFirstArgument).Select(v => v.Name);

    /// <summary>The global options under "", then each command's.</summary>
    internal static IEnumerable<(string Verb, OptionDescription[] Options)> AllOptions() =>
        Verbs.All.Select(v => (v.Name, VerbDescription.OptionsOf(v.OptionsType))).Prepend(("", VerbDescription.GlobalOptions()));

    /// <summary>A word that the shell takes as it stands: bash's and zsh's single quotes.</summary>
    internal static string Quote(string text) => $"'{text.Replace("'", "'\\''")}'";
}
