using OciRuntime.Linux;

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
public sealed record ParsedCommandLine(Request Request, GlobalOptions Globals, VerbOptions? Verb);

/// <summary>
/// Reads the command line: <c>ocirun [global options] command [options] [arguments]</c>, in the union of runc's and crun's syntax.
/// </summary>
/// <remarks>Not called CommandLine: outside this namespace that name means the package.</remarks>
public static class CommandLineReader
{
    internal const string ProgramName = "ocirun";

    public static ParsedCommandLine Parse(string[] args)
    {
        GlobalOptions globals = new();
        VerbOptions? verb = null;
        try
        {
            ArgumentCursor a = new(args);
            string? verbName = ReadGlobals(globals, ref a);
            if (globals.Help || globals.Version) return new(globals.Help ? Request.ShowHelp : Request.ShowVersion, globals, null);
            ResolveRoot(globals);
            if (verbName is null) return new(Request.ShowHelp, globals, null);
            verb = Verbs.Named(verbName);
            ReadVerb(verb, ref a);
            globals.ContainerId = verb.ContainerId;
            return new(verb.Help ? Request.ShowHelp : verb.Version ? Request.ShowVersion : Request.RunVerb, globals, verb);
        }
        catch (UsageException mistake)
        {
            mistake.Globals = globals;
            mistake.VerbName = verb?.VerbName;
            throw;
        }
    }

    /// <summary>
    /// Tells the user what is wrong with the command line; or, when the command line got as far as naming a log file, the client.
    /// </summary>
    /// <returns>The exit code.</returns>
    public static int Report(UsageException mistake)
    {
        if (mistake.Globals is not { Log.Length: > 0 } globals || !TryLog(mistake, globals))
        {
            string program = mistake.VerbName is { } verb ? $"{ProgramName} {verb}" : ProgramName;
            string hint = mistake.HelpHelps ? $"Run '{program} --help' for usage.\n" : "";
            Output.WriteError($"{ProgramName}: {LogRecord.Bare(mistake.Message)}\n{hint}");
        }
        return ExitCodes.Failure;
    }

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

    /// <returns>The command; null when there is none, or when help or the version was asked for.</returns>
    private static string? ReadGlobals(GlobalOptions globals, ref ArgumentCursor a)
    {
        while (!a.AtEnd)
        {
            string word = a.Take();
            if (word == "--") return a.AtEnd ? null : a.Take();
            if (!LooksLikeOption(word)) return word;
            if (!OptionReader.TryRead(globals, word, ref a)) throw UnknownNames.GlobalOption(word);
            if (globals.Help || globals.Version) return null;
        }
        return null;
    }

    private static void ReadVerb(VerbOptions verb, ref ArgumentCursor a)
    {
        Arity arity = verb.Arity;
        int arguments = 0;
        bool optionsEnded = false;
        while (!a.AtEnd)
        {
            string word = a.Take();
            if (optionsEnded || !LooksLikeOption(word))
            {
                if (arguments < arity.Max) verb.AcceptArgument(arguments, word);
                arguments++;
                optionsEnded |= verb.OptionsEndAtFirstArgument;
                continue;
            }
            if (word == "--") optionsEnded = true;
            else if (!OptionReader.TryRead(verb, word, ref a)) throw UnknownNames.VerbOption(verb, word);
            // Whoever asks for help may well have left out the rest.
            if (verb.Help || verb.Version) return;
        }
        if (arguments < arity.Min || arguments > arity.Max) throw Arity.Mistake(verb, arguments);
    }

    private static void ResolveRoot(GlobalOptions globals)
    {
        if (globals.Root is null) return;
        if (globals.Root.Length == 0) throw new UsageException("Option --root argument should not be empty");
        // Made absolute now, because commands change into the bundle later.
        try
        {
            globals.Root = Path.TrimEndingDirectorySeparator(Files.FullPath(globals.Root));
        }
        catch (OciException e)
        {
            throw new UsageException($"--root: {e.Message}") { HelpHelps = false };
        }
        // runc's words.
        if (globals.Root == "/") throw new UsageException("Option --root argument should not be set to /");
    }

    // A lone dash is an argument: by custom it names standard input.
    private static bool LooksLikeOption(string word) => word.Length > 1 && word[0] == '-';
}
