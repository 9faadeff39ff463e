using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Verify;

/// <summary>The first process's environment. It is in the program's own memory, so a difference is never a breach.</summary>
internal static class EnvironmentProof
{
    public static void Add(Report report, Subject subject, FileTree tree)
    {
        Promise promise = new("environment", "/process/env", $"{subject.Plan.Environment.Count} variables");
        report.Add(promise, Look(subject, tree));
    }

    private static Seen Look(Subject subject, FileTree tree)
    {
        if (subject.IsWaiting) return Seen.Unchecked("it is given at the start");
        if (subject.MayServe(tree)) return Seen.Unchecked(Subject.Served);
        if (subject.Init.Read("environ", out long error) is not { } bytes) return Seen.Unchecked(ErrnoText.Full((int)-error));
        HashSet<string> there = [.. Encoding.UTF8.GetString(bytes).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
        List<string> wanted = subject.Plan.Environment;
        List<string> missing = wanted.FindAll(one => !there.Contains(one));
        // These are the caller's, and not in the journal; HOME may be the image's.
        string[] more = [.. there.Where(one =>
            !wanted.Contains(one) && Name(one) is not ("LISTEN_FDS" or "LISTEN_PID" or "LISTEN_FDNAMES" or "HOME"))];
        if (missing.Count == 0 && more.Length == 0) return Seen.Held;
        // Names only: values are passwords, too.
        return new(Outcome.Drifted, $"another one, {Names("without", missing)}{Names("with", more)}".TrimEnd());
    }

    private static string Names(string word, IReadOnlyCollection<string> variables) =>
        variables.Count == 0 ? "" : $"{word} {string.Join(", ", variables.Take(10).Select(Name))}{(variables.Count > 10 ? ", …" : "")} ";

    private static string Name(string variable) => variable.IndexOf('=') is >= 0 and var equals ? variable[..equals] : variable;
}
