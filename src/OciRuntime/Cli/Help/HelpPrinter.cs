namespace OciRuntime.Cli;

/// <summary>Makes the help texts from the options' attributes.</summary>
public static class HelpPrinter
{
    private const string Program = CommandLineReader.ProgramName;

    /// <summary>Writes <see cref="Text"/> to standard output.</summary>
    public static void Print(VerbOptions? verb) => Output.Write(Text(verb));

    /// <summary>The help of one command, or of the program when <paramref name="verb"/> is null.</summary>
    public static string Text(VerbOptions? verb) => verb is null ? HelpOfProgram() : HelpOf(verb);

    private static string HelpOfProgram()
    {
        HelpText help = new();
        help.Line($"{Program} - {ProgramHelp.Summary}");
        help.Heading("Usage:").Line($"  {Program} [global options] <command> [options] [arguments]");
        help.Heading("Commands:").Columns(Verbs.All.Select(v => (v.VerbName, v.Summary)));
        help.Heading("Global options:").Columns(Rows(new GlobalOptions().DescribeOptions()));
        help.Heading("Examples:").Examples(ProgramHelp.Examples);
        help.Heading("Exit codes:").Columns(ProgramHelp.UsualExitCodes.Select(c => (c.Code, c.Meaning)));
        return help.Heading($"'{Program} <command> --help' tells more about a command.").ToString();
    }

    private static string HelpOf(VerbOptions verb)
    {
        VerbHelp prose = verb.Describe();
        ArgumentDescription[] arguments = verb.DescribeArguments();
        HelpText help = new();
        help.Line($"{Program} {verb.VerbName} - {verb.Summary}");
        string usage = string.Concat(arguments.Select(static a => " " + a.Usage));
        help.Heading("Usage:").Line($"  {Program} [global options] {verb.VerbName} [options]{usage}");
        help.Heading(prose.Text);
        IEnumerable<(string, string)> meanings = arguments.Select(static a => (a.Name, WithDefault(a.Text, a.Default)));
        if (arguments.Length > 0) help.Heading("Arguments:").Columns(meanings);
        help.Heading("Options:").Columns(Rows(verb.DescribeOptions()));
        help.Heading("Examples:").Examples(prose.Examples);
        help.Heading("Exit codes:").Columns((prose.ExitCodes ?? ProgramHelp.UsualExitCodes).Select(c => (c.Code, c.Meaning)));
        return help.Heading($"Global options go before the command: see '{Program} --help'.").ToString();
    }

    private static IEnumerable<(string, string)> Rows(OptionDescription[] options) =>
        options.Where(static o => !o.Hidden).Select(static o => (Left(o), WithDefault(o.Text, o.Default)));

    private static string Left(OptionDescription o) =>
        (o.Short is null ? "    " : "") + string.Join(", ", o.Spellings) + (o.MetaValue is null ? "" : " " + o.MetaValue);

    internal static string WithDefault(string text, string? value) => value is null ? text : $"{text} (default: {value})";
}
