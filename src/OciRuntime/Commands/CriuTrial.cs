using OciRuntime.Checks;
using OciRuntime.Host;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Commands;

/// <summary>Whether criu is there, and runs. Its own check would leave a file in /run.</summary>
internal static class CriuTrial
{
    private const int Seconds = 5;

    public static Finding Run()
    {
        const string Name = "criu", Cost = "checkpoint and restore fail";
        if (ProgramPath.Find(Name) is not { } path)
            return new(UserChecks.Helpers, Name, Verdict.Limited, "is not in PATH", Cost, "install criu");
        string fault = FaultOf(path, out string words);
        return fault.Length == 0 ? new(UserChecks.Helpers, Name, Verdict.Ok, $"{path}, {words}")
            : new(UserChecks.Helpers, Name, Verdict.Limited, $"{path} --version: {fault}", Cost,
                "install criu anew, with the libraries that it needs");
    }

    private static string FaultOf(string path, out string words)
    {
        words = "";
        try
        {
            using Fd nothing = MemoryFile.Create([]);
            HelperResult result = HelperProcess.Run(
                new HelperProgram
                {
                    Path = path,
                    Arguments = [path, "--version"],
                    Environment = null,
                    Input = nothing.Number,
                    TimeoutSeconds = Seconds,
                }, null);
            // "Version: 3.17.1".
            words = VisibleText.Line(result.Output.Split('\n')[0]).Replace("Version:", "version");
            return result.Succeeded ? "" : result.Errno != 0 ? ErrnoText.Full(result.Errno)
                : result.TimedOut ? $"killed after {Seconds} s" : $"{result.Status}: {words}";
        }
        catch (OciException e)
        {
            // That no process can be made is nothing of criu's, and told where limits are.
            words = $"not tried: {e.Message}";
            return "";
        }
    }
}
