namespace OciRuntime.Cli;

/// <summary>The manual pages, made from what the help is made from.</summary>
public static class ManPage
{
    private const string Program = CommandLineReader.ProgramName;

    /// <summary>Commands of system administration.</summary>
    private const string ManualSection = "8";

    /// <summary>The page of one command, or of the program when <paramref name="verb"/> is null.</summary>
    public static string Text(VerbOptions? verb) => verb is null ? ProgramPage() : PageOf(verb);

    /// <summary>The name man(1) finds the page by.</summary>
    public static string FileName(VerbOptions? verb) => $"{PageName(verb)}.{ManualSection}";

    private static string PageName(VerbOptions? verb) => verb is null ? Program : $"{Program}-{verb.VerbName}";

    private static string ProgramPage()
    {
        Roff page = Begin(null, ProgramHelp.Summary);
        page.Line($"{Roff.Bold(Program)} [{Roff.Italic("global options")}] {Roff.Italic("command")} [{Roff.Italic("options")}] " +
            $"[{Roff.Italic("arguments")}]");
        page.Section("DESCRIPTION").Paragraph(ProgramHelp.Text);
        page.Section("COMMANDS");
        foreach (VerbOptions verb in Verbs.All) page.Term(Reference(verb), verb.Summary);
        Options(page.Section("GLOBAL OPTIONS"), new GlobalOptions().DescribeOptions());
        Examples(page, ProgramHelp.Examples);
        Terms(page, "EXIT STATUS", ProgramHelp.UsualExitCodes.Select(c => (c.Code, c.Meaning)));
        Terms(page, "FILES", ProgramHelp.Files);
        Terms(page, "ENVIRONMENT", ProgramHelp.Environment);
        return page.Section("SEE ALSO").Line(string.Join(", ", Verbs.All.Select(Reference))).ToString();
    }

    private static string PageOf(VerbOptions verb)
    {
        VerbHelp prose = verb.Describe();
        ArgumentDescription[] arguments = verb.DescribeArguments();
        Roff page = Begin(verb, verb.Summary);
        page.Line($"{Roff.Bold(Program)} [{Roff.Italic("global options")}] {Roff.Bold(verb.VerbName)} [{Roff.Italic("options")}]" +
            string.Concat(arguments.Select(static a => " " + Roff.Literal(a.Usage))));
        page.Section("DESCRIPTION").Paragraph(prose.Text);
        if (arguments.Length > 0) Terms(page, "ARGUMENTS", arguments.Select(a => (a.Name, HelpPrinter.WithDefault(a.Text, a.Default))));
        Options(page.Section("OPTIONS"), verb.DescribeOptions());
        page.Line(".PP").Line($"Global options go before the command: see {Reference(null)}.");
        Examples(page, prose.Examples);
        Terms(page, "EXIT STATUS", (prose.ExitCodes ?? ProgramHelp.UsualExitCodes).Select(c => (c.Code, c.Meaning)));
        return page.Section("SEE ALSO").Line(Reference(null)).ToString();
    }

    private static Roff Begin(VerbOptions? verb, string summary)
    {
        Roff page = new Roff().Title(PageName(verb).ToUpperInvariant(), ManualSection, BuildInfo.Date, $"{Program} {BuildInfo.Version}");
        return page.Section("NAME").Line($"{Roff.Literal(PageName(verb))} \\- {Roff.Prose(summary)}").Section("SYNOPSIS");
    }

    private static string Reference(VerbOptions? verb) => $"{Roff.Bold(PageName(verb))}({ManualSection})";

    private static void Options(Roff page, OptionDescription[] options)
    {
        foreach (OptionDescription option in options.Where(o => !o.Hidden))
        {
            string value = option.MetaValue is { } meta ? " " + Roff.Italic(meta) : "";
            page.Term(string.Join(", ", option.Spellings.Select(Roff.Bold)) + value, HelpPrinter.WithDefault(option.Text, option.Default));
        }
    }

    private static void Examples(Roff page, HelpExample[] examples)
    {
        page.Section("EXAMPLES");
        for (int i = 0; i < examples.Length; i++)
        {
            if (i > 0) page.Line(".PP");
            page.Example(examples[i].Purpose, examples[i].Command);
        }
    }

    private static void Terms(Roff page, string section, IEnumerable<(string Name, string Text)> terms)
    {
        page.Section(section);
        foreach ((string name, string text) in terms) page.Term(Roff.Bold(name), text);
    }
}
