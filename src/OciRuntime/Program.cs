using OciRuntime.Cli;
using OciRuntime.Commands;
using OciRuntime.Launch;
using OciRuntime.Linux;

namespace OciRuntime;

/// <summary>argv to command, and what commands throw to an exit code with one line on stderr and in the log.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        ParsedCommandLine line;
        try
        {
            line = CommandLineReader.Parse(args);
        }
        catch (UsageException e)
        {
            return CommandLineReader.Report(e);
        }
        string verb = line.Definition?.Name ?? "";
        try
        {
            if (line.Request != Request.RunVerb) return Inform(line);
            // Before anything is done: clients look into the log also when all went well, and one that cannot be written would swallow a failure.
            if (!string.IsNullOrEmpty(line.Globals.Log)) Logger.Open(line.Globals).Dispose();
            return Dispatch(line.Globals, line.Verb!);
        }
        catch (InterruptedException e)
        {
            Report(line.Globals, $"ocirun {verb} failed: {e.Message}");
            return ExitCodes.ForSignal(e.Signal);
        }
        catch (OciException e)
        {
            bool launches = line.Verb is BundleOptions or StartOptions or ExecOptions or RestoreOptions;
            string hint = e.Errno == Errno.ENOSYS ? KernelHint() : "";
            Report(line.Globals, launches ? $"ocirun {verb} failed: {e.Message}{hint}" : e.Message + hint);
            return FailureOf(line.Verb);
        }
        catch (Exception e) when (e is IOException or UsageException)
        {
            Report(line.Globals, e.Message);
            return FailureOf(line.Verb);
        }
        catch (Exception e)
        {
            // The commands have undone their work on the way here. Unhandled it would be a stack trace, an abort and a core file.
            Report(line.Globals, $"ocirun {verb} failed: bug in ocirun, please report it: {e.GetType().Name}: {OneLine(e.Message)}{Place(e)}");
            return FailureOf(line.Verb);
        }
    }

    private static int Dispatch(GlobalOptions globals, VerbOptions verb) => verb switch
    {
        RunOptions o => RunCommand.Run(globals, o),
        CreateOptions o => CreateCommand.Run(globals, o),
        StartOptions o => StartCommand.Run(globals, o),
        ExecOptions o => ExecCommand.Run(globals, o),
        ExplainOptions o => ExplainCommand.Run(globals, o),
        StateOptions o => StateCommand.Run(globals, o),
        KillOptions o => KillCommand.Run(globals, o),
        DeleteOptions o => DeleteCommand.Run(globals, o),
        PauseOptions o => PauseCommand.Run(globals, o),
        ResumeOptions o => ResumeCommand.Run(globals, o),
        PsOptions o => PsCommand.Run(globals, o),
        UpdateOptions o => UpdateCommand.Run(globals, o),
        EventsOptions o => EventsCommand.Run(globals, o),
        TopOptions o => TopCommand.Run(globals, o),
        MountsOptions o => MountsCommand.Run(globals, o),
        ListOptions o => ListCommand.Run(globals, o),
        CheckpointOptions o => CheckpointCommand.Run(globals, o),
        RestoreOptions o => RestoreCommand.Run(globals, o),
        SpecOptions o => SpecCommand.Run(globals, o),
        SetupOptions o => SetupCommand.Run(globals, o),
        FeaturesOptions o => FeaturesCommand.Run(globals, o),
        ManOptions o => ManCommand.Run(globals, o),
        CompletionOptions o => CompletionCommand.Run(globals, o),
        _ => throw new OciException("this command is not implemented"),
    };

    private static int FailureOf(VerbOptions? verb) => verb is ExecOptions ? ExitCodes.ExecFailure : ExitCodes.Failure;

    private static int Inform(ParsedCommandLine line)
    {
        if (line.Request == Request.ShowVersion) Output.Write(VersionText.Lines);
        else HelpPrinter.Print(line.Definition);
        return ExitCodes.Success;
    }

    /// <summary>
    /// The oldest kernel with all that a launch is built on (mount_setattr(2) is the last of it). Looked at only after a failure: some
    /// distributions carry the calls back, and a number would lock them out.
    /// </summary>
    private static string KernelHint()
    {
        byte[] release = Files.ReadFileAt(Files.AT_FDCWD, "/proc/sys/kernel/osrelease", 256, out _) ?? [];
        return $": ocirun needs Linux 5.12 or newer, and no seccomp profile that hides its calls; this is {System.Text.Encoding.UTF8.GetString(release).Trim()}";
    }

    /// <summary>The method it was thrown in, for whoever gets the report.</summary>
    private static string Place(Exception e)
    {
        string first = OneLine((e.StackTrace ?? "").Split('\n')[0]);
        return first.Length == 0 ? "" : $" ({first})";
    }

    private static string OneLine(string text) => text.Replace('\n', ' ').Replace('\r', ' ').Trim();

    /// <summary>In the log that the client named; when that cannot be opened, which may be the very failure, on standard error.</summary>
    private static void Report(GlobalOptions globals, string message)
    {
        try
        {
            using Logger log = Logger.Open(globals);
            log.Error(message);
        }
        catch (Exception e) when (e is UsageException or IOException)
        {
            Output.WriteError(LogRecord.Bare(message == e.Message ? message : $"{message}; and {e.Message}") + "\n");
        }
    }
}
