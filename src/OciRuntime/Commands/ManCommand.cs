using System.Text;
using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary><c>ocirun man [COMMAND]</c>: one page on standard output, or all of them as files.</summary>
internal static class ManCommand
{
    public static int Run(GlobalOptions _, ManOptions o)
    {
        if (o.Output is not { } directory) Output.Write(ManPage.Text(o.Command is { } name ? Verbs.Find(name) : null));
        else if (o.Command is not null) throw new UsageException("--output writes all pages: name no command with it");
        else WriteAll(directory);
        return ExitCodes.Success;
    }

    private static void WriteAll(string directory)
    {
        foreach (VerbOptions? verb in Verbs.All.Prepend(null))
        {
            string path = Path.Combine(directory, ManPage.FileName(verb));
            long error = Files.WriteFileAt(Files.AT_FDCWD, path, Encoding.UTF8.GetBytes(ManPage.Text(verb)), Files.O_WRONLY | Files.O_CREAT
                | Files.O_TRUNC);
            OciException.Check(error, $"write {path}");
        }
    }
}
