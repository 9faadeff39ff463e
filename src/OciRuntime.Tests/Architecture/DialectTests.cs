using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>
/// The part of the dialect (CONTRIBUTING.md) that no analyzer looks for; .editorconfig has the rest, and the compiler enforces it.
/// </summary>
public sealed class DialectTests
{
    private const int Columns = 140;

    /// <summary>What scripts/syscall-tables.sh makes has long lines: nobody reads it.</summary>
    private const string Generated = ".Data.cs";

    [Test]
    public void No_line_is_longer_than_a_reader_takes_in() =>
        Code().Where(static line => line.Text.Length > Columns).Select(static line => line.Place).Should().BeEmpty();

    [Test]
    public void Null_is_tested_by_is() =>
        Code().Where(static line => line.Text.Contains("== " + "null", StringComparison.Ordinal)
        || line.Text.Contains("!= " + "null", StringComparison.Ordinal))
            .Select(static line => line.Place).Should().BeEmpty();

    /// <summary>The lines of all C# sources but those of raw strings, which are of another language and have its line ends.</summary>
    private static IEnumerable<(string Place, string Text)> Code()
    {
        foreach (string file in Directory.GetFiles(Path.Combine(Ocirun.RepositoryRoot, "src"), "*.cs", SearchOption.AllDirectories))
        {
            if (file.Contains("/obj/", StringComparison.Ordinal) || file.EndsWith(Generated, StringComparison.Ordinal)) continue;
            bool raw = false;
            int number = 0;
            foreach (string line in File.ReadLines(file))
            {
                number++;
                bool quotes = line.Split("\"\"\"").Length % 2 == 0;
                if (!raw && !line.Contains("\"\"\"", StringComparison.Ordinal))
                    yield return ($"{Path.GetRelativePath(Ocirun.RepositoryRoot, file)}:{number}", line);
                raw ^= quotes;
            }
        }
    }
}
