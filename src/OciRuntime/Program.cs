using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Shim;
using OciRuntime.Spec;
using OciRuntime.Tracing;

namespace OciRuntime;

/// <summary>argv to command, and what commands throw to an exit code with one line on stderr and in the log.</summary>
internal static partial class Program
{
    /// <summary>
    /// Ends at once: all that was to be written has been, by system calls of our own, and what the language runtime does at an end is for
    /// others.
    /// </summary>
    private static void Main(string[] args) => Processes.Exit(Run(args));

    private static int Run(string[] args)
    {
        Timeline.EnterMain();
        args = ShimName.Translate(args);
        ParsedCommandLine line;
        try
        {
            line = CommandLineReader.Parse(args);
        }
        catch (UsageException e)
        {
            return CommandLineReader.Report(e);
        }
        string verb = line.Verb?.VerbName ?? "";
        TraceFile? trace = null;
        try
        {
            if (line.Request != Request.RunVerb) return Inform(line);
            if (!string.IsNullOrEmpty(line.Globals.Trace)) trace = TraceFile.Create(line.Globals.Trace);
            // Before anything is done: clients look into the log also when all went well, and one that cannot be written would swallow a
            // failure.
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
        catch (OutOfMemoryException)
        {
            Report(line.Globals, $"ocirun {verb} failed: {MemoryLimit.Exceeded}");
            return FailureOf(line.Verb);
        }
        catch (Exception e)
        {
            // The commands have undone their work on the way here. Unhandled it would be a stack trace, an abort and a core file.
            string what = $"{e.GetType().Name}: {VisibleText.Line(e.Message)}{Place(e)}";
            Report(line.Globals, $"ocirun {verb} failed: bug in ocirun, please report it: {what}");
            return FailureOf(line.Verb);
        }
        finally
        {
            if (trace is not null) Finish(trace, line);
        }
    }

    /// <summary>Writes the trace, also of a failure. That it cannot is worth a warning, and no other outcome.</summary>
    private static void Finish(TraceFile trace, ParsedCommandLine line)
    {
        long result = trace.Write(BuildInfo.Version, line.Verb!.VerbName, line.Globals.ContainerId);
        if (result >= 0) return;
        try
        {
            Logger.Warn(line.Globals, $"--trace {line.Globals.Trace}: {ErrnoText.Full((int)-result)}");
        }
        catch (Exception e) when (e is UsageException or IOException)
        {
            // The log is gone, too.
        }
    }

    /// <summary>Runs the command whose options these are: XyzCommand for XyzOptions.</summary>
    private static partial int Dispatch(GlobalOptions globals, VerbOptions verb);

    private static int FailureOf(VerbOptions? verb) => verb switch
    {
        ExecOptions => ExitCodes.ExecFailure,
        VerifyOptions => ExitCodes.Unverified,
        _ => ExitCodes.Failure,
    };

    /// <summary>Clients look for a line with the word "version", and for "commit: " and "spec: " lines (moby, go-runc).</summary>
    private static string Version => $"ocirun version {BuildInfo.Version}\ncommit: {BuildInfo.Commit}\nspec: {RuntimeSpec.NewestVersion}\n";

    private static int Inform(ParsedCommandLine line)
    {
        if (line.Request == Request.ShowVersion) Output.Write(Version);
        else HelpPrinter.Print(line.Verb);
        return ExitCodes.Success;
    }

    /// <summary>
    /// The oldest kernel with all that a launch is built on (mount_setattr(2) is the last of it). Looked at only after a failure: some
    /// distributions carry the calls back, and a number would lock them out.
    /// </summary>
    private static string KernelHint()
    {
        byte[] release = Files.ReadFileAt(Files.AT_FDCWD, "/proc/sys/kernel/osrelease", 256, out _) ?? [];
        string version = System.Text.Encoding.UTF8.GetString(release).Trim();
        return $": ocirun needs Linux 5.12 or newer, and no seccomp profile that hides its calls; this is {version}";
    }

    /// <summary>The method it was thrown in, for whoever gets the report.</summary>
    private static string Place(Exception e)
    {
        string first = VisibleText.Line((e.StackTrace ?? "").Split('\n')[0].Trim());
        return first.Length == 0 ? "" : $" ({first})";
    }

    /// <summary>In the log that the client named; when that cannot be opened, which may be the very failure, on standard error.</summary>
    private static void Report(GlobalOptions globals, string message)
    {
        Timeline.Fail(message);
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
