namespace OciRuntime.Cli;

/// <summary>Makes the help texts from the options' attributes.</summary>
public static class HelpPrinter
{
    private const string Program = CommandLineReader.ProgramName;

    /// <summary>Writes <see cref="Text"/> to standard output.</summary>
    public static void Print(VerbDefinition? verb) => Output.Write(Text(verb));

    /// <summary>The help of one command, or of the program when <paramref name="verb"/> is null.</summary>
    public static string Text(VerbDefinition? verb) => verb is null ? HelpOfProgram() : HelpOf(verb);

    private static string HelpOfProgram()
    {
        HelpText help = new();
        help.Line($"{Program} - {ProgramHelp.Summary}");
        help.Heading("Usage:").Line($"  {Program} [global options] <command> [options] [arguments]");
        help.Heading("Commands:").Columns(Verbs.All.Select(v => (v.Name, VerbDescription.Summary(v))));
        help.Heading("Global options:").Columns(Rows(VerbDescription.GlobalOptions()));
        help.Heading("Examples:").Examples(ProgramHelp.Examples);
        help.Heading("Exit codes:").Columns(ProgramHelp.UsualExitCodes.Select(c => (c.Code, c.Meaning)));
        return help.Heading($"'{Program} <command> --help' tells more about a command.").ToString();
    }

    private static string HelpOf(VerbDefinition verb)
    {
        VerbHelp prose = verb.CreateOptions().Describe();
        ArgumentDescription[] arguments = VerbDescription.ArgumentsOf(verb.OptionsType);
        HelpText help = new();
        help.Line($"{Program} {verb.Name} - {VerbDescription.Summary(verb)}");
        help.Heading("Usage:").Line($"  {Program} [global options] {verb.Name} [options]{string.Concat(arguments.Select(a => " " + a.Usage))}");
        help.Heading(prose.Text);
        if (arguments.Length > 0)
        {
            help.Heading("Arguments:").Columns(arguments.Select(a => (a.Name, WithDefault(a.Text, a.Default))));
        }

        help.Heading("Options:").Columns(Rows(VerbDescription.OptionsOf(verb.OptionsType)));
        help.Heading("Examples:").Examples(prose.Examples);
        help.Heading("Exit codes:").Columns((prose.ExitCodes ?? ProgramHelp.UsualExitCodes).Select(c => (c.Code, c.Meaning)));
        return help.Heading($"Global options go before the command: see '{Program} --help'.").ToString();
    }

    private static IEnumerable<(string, string)> Rows(OptionDescription[] options) =>
        options.Where(o => !o.Hidden).Select(o =>
            ($"{(o.Short is null ? "    " : "")}{string.Join(", ", o.Spellings)}{(o.MetaValue is null ? "" : " " + o.MetaValue)}", WithDefault(o.Text, o.Default)));

    internal static string WithDefault(string text, string? value) => value is null ? text : $"{text} (default: {value})";
}
