using System.Xml.Linq;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// The runtime with its protections taken out, in a copy of the source that is built and tested elsewhere: each has a test that notices.
/// </summary>
public sealed class HoleTests
{
    /// <summary>A build of everything.</summary>
    private static readonly CommandOptions Patient = new() { Timeout = TimeSpan.FromMinutes(20), Env = Lenient };

    private static Dictionary<string, string?> Lenient => new()
    {
        // What is left of a method may not be used.
        ["RunAnalyzers"] = "false",
        ["EnforceCodeStyleInBuild"] = "false",
        // The tests' own, of this run.
        ["OCIRUN_LEAK_REPORT"] = null,
        ["OCIRUN_RACE_RUNS"] = null,
    };

    private static Dictionary<string, Hole>.KeyCollection Names() => Hole.All.Keys;

    /// <summary>Or the table would be about code that is gone.</summary>
    [TestCaseSource(nameof(Names))]
    public void What_is_taken_out_is_there(string name)
    {
        Hole hole = Hole.All[name];
        string source = File.ReadAllText(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime", hole.File));
        source.Split(hole.Protection).Should().HaveCount(2, "{0} has it once: {1}", hole.File, hole.Protection);
    }

    [Test, Category("ByHand"), CancelAfter(3_600_000)]
    public void Without_its_protections_the_runtime_falls_for_each()
    {
        string copy = Path.Combine(Ocirun.RepositoryRoot, "out/holes");
        Cleaner.DeleteTree(copy);
        Copy(copy);
        foreach (Hole hole in Hole.All.Values)
        {
            string file = Path.Combine(copy, "src/OciRuntime", hole.File);
            File.WriteAllText(file, File.ReadAllText(file).Replace(hole.Protection, hole.Instead, StringComparison.Ordinal));
        }
        Command.Run(Path.Combine(copy, "build.sh"), ["build"], Patient).ShouldSucceed();
        Command.Run("dotnet", ["build", $"{copy}/src/OciRuntime.Tests", "-c", "Release"], Patient).ShouldSucceed();
        List<string> blind = [.. Hole.All.Select(one => Blind(copy, one.Key, one.Value)).OfType<string>()];
        Cleaner.DeleteTree(copy);
        blind.Should().BeEmpty();
    }

    /// <summary>What is wrong with a test that should fail; null when it does.</summary>
    private static string? Blind(string copy, string name, Hole hole)
    {
        // Attacks that succeed may change it.
        string binary = Path.Combine(copy, "out/ocirun-attacked"), results = Path.Combine(copy, "out/holes.trx");
        File.Copy(Path.Combine(copy, "out/ocirun"), binary, overwrite: true);
        File.Delete(results);
        CommandOptions options = Patient with { Env = new Dictionary<string, string?>(Lenient) { ["OCIRUN_BINARY"] = binary } };
        string tests = Directory.GetFiles($"{copy}/src/OciRuntime.Tests/bin/Release", "OciRuntime.Tests.dll", SearchOption.AllDirectories)
            .Single();
        CommandResult result = Command.Run("dotnet", ["test", tests, "--settings", $"{copy}/src/OciRuntime.Tests/test.runsettings",
            "--filter", hole.Test, "--logger", $"trx;LogFileName={results}"], options);
        if (!File.Exists(results)) return $"{name}: {result}";
        string[] complaints = [.. XDocument.Load(results).Descendants().Where(static one => one.Name.LocalName == "Message")
            .Select(static one => one.Value)];
        TestContext.Out.WriteLine($"{name}: {string.Join(" | ", complaints.Select(static one => one[..Math.Min(one.Length, 300)]))}");
        return complaints.Any(one => one.Contains(hole.Complaint, StringComparison.Ordinal)) ? null
            : $"{name}: {(complaints.Length == 0 ? "its test succeeds, or there is none" : string.Join('\n', complaints))}";
    }

    private static void Copy(string copy)
    {
        string[] files = Command.Run("git", "-C", Ocirun.RepositoryRoot, "ls-files", "--cached", "--others", "--exclude-standard", "-z")
            .ShouldSucceed().Stdout.Split('\0', StringSplitOptions.RemoveEmptyEntries);
        foreach (string file in files.Where(file => File.Exists(Path.Combine(Ocirun.RepositoryRoot, file))))
        {
            string to = Path.Combine(copy, file);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(Path.Combine(Ocirun.RepositoryRoot, file), to);
        }
    }
}
