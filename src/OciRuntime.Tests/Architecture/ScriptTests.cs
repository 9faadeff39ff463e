using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>The shell scripts of the project, as shellcheck(1) reads them.</summary>
public sealed class ScriptTests
{
    private static readonly string[] Folders = [".", ".ci", "scripts", "scripts/vm", "bench", "src/OciRuntime.Tests/Vm"];

    // It only computes.
    [Category("Slow")]
    [Test]
    public void Shellcheck_has_nothing_to_say()
    {
        string[] scripts = [.. Folders.SelectMany(static folder => Directory.GetFiles(Path.Combine(Ocirun.RepositoryRoot, folder)))
            .Where(IsScript)];
        scripts.Should().HaveCountGreaterThan(10);
        Command.Run("shellcheck", ["--external-sources", "--source-path", Ocirun.RepositoryRoot, .. scripts]).ShouldSucceed();
    }

    private static bool IsScript(string file) => file.EndsWith(".sh", StringComparison.Ordinal)
        || File.ReadLines(file).FirstOrDefault() is { } first && first.StartsWith("#!", StringComparison.Ordinal)
        && first.EndsWith("sh", StringComparison.Ordinal);
}
