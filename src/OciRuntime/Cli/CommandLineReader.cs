namespace OciRuntime.Cli;

/// <summary>Reads the command line: <c>ocirun [global options] command [options] [arguments]</c>, in the union of runc's and crun's syntax.</summary>
/// <remarks>Not called CommandLine: outside this namespace that name means the package.</remarks>
public static class CommandLineReader
{
    public static ParsedCommandLine Parse(string[] args)
    {
        GlobalOptions globals = new();
        VerbDefinition? definition = null;
        try
        {
            ArgumentCursor a = new(args);
            string? verbName = ReadGlobals(globals, ref a);
            if (globals.Help || globals.Version)
            {
                return new(globals.Help ? Request.ShowHelp : Request.ShowVersion, globals, null, null);
            }

            ResolveRoot(globals);
            if (verbName is null)
            {
                return new(Request.ShowHelp, globals, null, null);
            }

            definition = FindVerb(verbName);
            VerbOptions verb = definition.CreateOptions();
            ReadVerb(definition, verb, ref a);
            globals.ContainerId = verb.ContainerId;
            return Result(globals, verb, definition);
        }
        catch (UsageException mistake)
        {
            mistake.Globals = globals;
            mistake.VerbName = definition?.Name;
            throw;
        }
    }

    /// <summary>Tells the user what is wrong with the command line; or, when the command line got as far as naming a log file, the client.</summary>
    /// <returns>The exit code.</returns>
    public static int Report(UsageException mistake)
    {
        if (mistake.Globals is not { Log.Length: > 0 } globals || !TryLog(mistake, globals))
        {
            string hint = !mistake.HelpHelps ? "" : $"Run '{ProgramName}{(mistake.VerbName is { } verb ? " " + verb : "")} --help' for usage.\n";
            Output.WriteError($"{ProgramName}: {LogRecord.Bare(mistake.Message)}\n{hint}");
        }

        return ExitCodes.Failure;
    }

    internal const string ProgramName = "ocirun";

    private static bool TryLog(UsageException mistake, GlobalOptions globals)
    {
        try
        {
            using Logger log = Logger.Open(globals);
            log.Error(mistake.Message);
            return true;
        }
        catch (UsageException)
        {
            // The log may be the very thing that is wrong.
            return false;
        }
    }

    private static ParsedCommandLine Result(GlobalOptions globals, VerbOptions verb, VerbDefinition definition)
    {
        if (verb.Help)
        {
            return new(Request.ShowHelp, globals, verb, definition);
        }

        if (verb.Version)
        {
            return new(Request.ShowVersion, globals, verb, definition);
        }

        if (verb is HelpOptions help)
        {
            VerbDefinition? topic = help.Command is null ? null : FindVerb(help.Command);
            return new(Request.ShowHelp, globals, topic?.CreateOptions(), topic);
        }

        return new(Request.RunVerb, globals, verb, definition);
    }

    private static string? ReadGlobals(GlobalOptions globals, ref ArgumentCursor a)
    {
        while (!a.AtEnd)
        {
            string word = a.Take();
            if (word == "--")
            {
                return a.AtEnd ? null : a.Take();
            }

            if (!LooksLikeOption(word))
            {
                return word;
            }

            if (!OptionReader.TryRead(globals, word, ref a) && !OptionReader.TryReadAbbreviated(globals, word, VerbDescription.GlobalOptions(), ref a))
            {
                throw UnknownNames.GlobalOption(word);
            }

            if (globals.Help || globals.Version)
            {
                return null;
            }
        }

        return null;
    }

    internal static void ReadVerb(VerbDefinition definition, VerbOptions verb, ref ArgumentCursor a)
    {
        Arity arity = verb.Arity;
        int arguments = 0;
        bool optionsEnded = false;
        while (!a.AtEnd)
        {
            string word = a.Take();
            if (optionsEnded || !LooksLikeOption(word))
            {
                if (arguments < arity.Max)
                {
                    verb.AcceptArgument(arguments, word);
                }

                arguments++;
                optionsEnded |= verb.OptionsEndAtFirstArgument;
            }
            else if (word == "--")
            {
                optionsEnded = true;
            }
            else if (!OptionReader.TryRead(verb, word, ref a) && !OptionReader.TryReadAbbreviated(verb, word, VerbDescription.OptionsOf(definition.OptionsType), ref a))
            {
                throw UnknownNames.VerbOption(definition, word);
            }
            else if (verb.Help || verb.Version)
            {
                // Whoever asks for help may well have left out the rest.
                return;
            }
        }

        if (arguments < arity.Min || arguments > arity.Max)
        {
            throw ArityMistake.Of(definition, arity, arguments);
        }
    }

    private static VerbDefinition FindVerb(string name) => Verbs.Find(name) ?? throw UnknownNames.Verb(name);

    private static void ResolveRoot(GlobalOptions globals)
    {
        switch (globals.Root)
        {
            case null:
                break;
            case "":
                throw new UsageException("Option --root argument should not be empty");
            default:
                // Made absolute now, because commands change into the bundle later.
                globals.Root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(globals.Root));
                if (globals.Root == "/")
                {
                    // runc's words.
                    throw new UsageException("Option --root argument should not be set to /");
                }

                break;
        }
    }

    // A lone dash is an argument: by custom it names standard input.
    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-';
}
