using System.Runtime.CompilerServices;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>The files of spec-fixtures/.</summary>
internal static class SpecFixtures
{
    /// <summary>Their names without ".json": "minimal", "sections/root", "clients/docker".</summary>
    public static string[] Valid { get; } = [.. ((string[])["", "sections", "clients"]).SelectMany(Names)];

    public static IEnumerable<string> Invalid => Names("invalid").Select(name => name["invalid/".Length..]);

    public static byte[] Read(string name) => File.ReadAllBytes(PathOf(name + ".json"));

    public static string PathOf(string file) => Path.Combine(Folder(), file);

    public static RuntimeSpec Parse(string name)
    {
        var problems = new SpecProblems();
        var spec = SpecReader.Parse(Read(name), problems);
        NUnit.Framework.Assert.That(problems.ToString(), NUnit.Framework.Is.Empty);
        return spec;
    }

    private static IEnumerable<string> Names(string folder) => Directory.GetFiles(PathOf(folder), "*.json")
        .Select(file => Path.Combine(folder, Path.GetFileNameWithoutExtension(file))).Order(StringComparer.Ordinal);

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../spec-fixtures"));
}
