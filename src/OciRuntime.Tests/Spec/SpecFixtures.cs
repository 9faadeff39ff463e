using System.Runtime.CompilerServices;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>The files of spec-fixtures/.</summary>
internal static class SpecFixtures
{
    public static readonly string[] Valid = ["minimal", "runc-default", "rootless", "full"];

    public static IEnumerable<string> Invalid => Directory.GetFiles(Path.Combine(Folder(), "invalid"), "*.json")
        .Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal);

    public static byte[] Read(string name) => File.ReadAllBytes(PathOf(name + ".json"));

    public static string PathOf(string file) => Path.Combine(Folder(), file);

    public static RuntimeSpec Parse(string name)
    {
        var problems = new SpecProblems();
        var spec = SpecReader.Parse(Read(name), problems);
        NUnit.Framework.Assert.That(problems.ToString(), NUnit.Framework.Is.Empty);
        return spec;
    }

    private static string Folder([CallerFilePath] string here = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../spec-fixtures"));
}
