namespace OciRuntime.Cli;

/// <summary>What the user asks the program to do.</summary>
public enum Request
{
    RunVerb,
    ShowHelp,
    ShowVersion,
}

/// <summary>A command line that made sense.</summary>
/// <param name="Request">What to do.</param>
/// <param name="Globals">The options before the command.</param>
/// <param name="Verb">The command's options; null when help or the version was asked for without naming a command.</param>
/// <param name="Definition">The command's entry in <see cref="Verbs"/>; null together with <paramref name="Verb"/>.</param>
public sealed record ParsedCommandLine(Request Request, GlobalOptions Globals, VerbOptions? Verb, VerbDefinition? Definition);
