using System.Text.RegularExpressions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>How a verb may fail: with one line of error, and not by a crash.</summary>
internal static partial class Failure
{
    /// <summary>What is wrong with how it failed, or null.</summary>
    public static string? Complaint(CommandResult result)
    {
        if (Crash(result) is { } crash) return crash;
        int lines = result.Stderr.Split('\n').Count(static line => line.Contains("level=error", StringComparison.Ordinal));
        return lines == 1 ? null : $"{lines} lines of error: {result}";
    }

    /// <summary>A crash, also of what has succeeded, or null.</summary>
    public static string? Crash(CommandResult result) => OfCrash().IsMatch(result.Stderr) ? $"a crash: {result}" : null;

    [GeneratedRegex(@"Unhandled|   at |bug in ocirun|Process terminated|Aborted")]
    private static partial Regex OfCrash();
}
