using FluentAssertions;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace OciRuntime.Tests.Support;

/// <summary>A generator at work on a source of a test, which may use what the program has.</summary>
internal static class Generation
{
    private static readonly MetadataReference[] References =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(':')
            .Where(path => Path.GetFileName(path) is "System.Runtime.dll" or "System.Private.CoreLib.dll" or "System.Collections.dll"
                or "netstandard.dll" or "CommandLine.dll" or "ocirun.dll")
            .Select(path => MetadataReference.CreateFromFile(path)),
    ];

    /// <summary>There is one error, at that word of the source.</summary>
    public static void ShouldRefuse(IIncrementalGenerator generator, string source, string where, string problem)
    {
        CSharpCompilation compilation = Compile(source);
        Diagnostic diagnostic = Start(generator).RunGenerators(compilation).GetRunResult().Diagnostics.Should().ContainSingle().Subject;
        diagnostic.Severity.Should().Be(DiagnosticSeverity.Error);
        diagnostic.GetMessage().Should().Match(problem);
        compilation.SyntaxTrees.Single().GetText().ToString(diagnostic.Location.SourceSpan).Should().Be(where);
    }

    /// <summary>Nothing is wrong, and nothing is made anew when something else changes.</summary>
    /// <returns>What is made.</returns>
    public static string ShouldMake(IIncrementalGenerator generator, string source)
    {
        CSharpCompilation compilation = Compile(source);
        GeneratorDriver driver = Start(generator).RunGenerators(compilation);
        GeneratorDriverRunResult first = driver.GetRunResult();
        first.Diagnostics.Should().BeEmpty();
        driver = driver.RunGenerators(compilation.AddSyntaxTrees(CSharpSyntaxTree.ParseText("class Another : System.Exception;")));
        driver.GetRunResult().Results[0].TrackedOutputSteps.Values.SelectMany(steps => steps).SelectMany(step => step.Outputs)
            .Select(output => output.Reason).Distinct().Should()
            .BeSubsetOf([IncrementalStepRunReason.Cached, IncrementalStepRunReason.Unchanged]);
        return string.Concat(first.GeneratedTrees);
    }

    private static CSharpGeneratorDriver Start(IIncrementalGenerator generator) => CSharpGeneratorDriver.Create(
        [generator.AsSourceGenerator()], driverOptions: new GeneratorDriverOptions(default, trackIncrementalGeneratorSteps: true));

    // Under the name of the tests it may use what is internal.
    private static CSharpCompilation Compile(string source) =>
        CSharpCompilation.Create("OciRuntime.Tests", [CSharpSyntaxTree.ParseText(source)], References);
}
