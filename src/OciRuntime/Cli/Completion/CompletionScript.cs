using System.Diagnostics;

namespace OciRuntime.Cli;

/// <summary>
/// The completion scripts of the shells, made from the options' declarations. They know where each word of a command line belongs; the one
/// thing they ask for at run time is the containers' names, and what comes back is offered as it is: nothing in the scripts evaluates data.
/// </summary>
public static class CompletionScript
{
    public static string For(Shell shell) => shell switch
    {
        Shell.Bash => BashCompletion.Script(),
        Shell.Zsh => ZshCompletion.Script(),
        Shell.Fish => FishCompletion.Script(),
        _ => throw new UnreachableException(),
    };

    /// <summary>Commands after whose first argument everything belongs to somebody else.</summary>
    internal static IEnumerable<string> VerbsWithPayload => Verbs.All.Where(v => v.OptionsEndAtFirstArgument).Select(v => v.VerbName);

    /// <summary>The global options under "", then each command's.</summary>
    internal static IEnumerable<(string Verb, OptionDescription[] Options)> AllOptions() =>
        Verbs.All.Select(v => (v.VerbName, v.DescribeOptions())).Prepend(("", new GlobalOptions().DescribeOptions()));

    /// <summary>A word that the shell takes as it stands: bash's and zsh's single quotes.</summary>
    internal static string Quote(string text) => $"'{text.Replace("'", "'\\''")}'";
}
