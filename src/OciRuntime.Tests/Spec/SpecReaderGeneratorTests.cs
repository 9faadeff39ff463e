using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Generators;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Spec;

/// <summary>
/// A property of the model that nothing could read is an error, at its place, when the program is compiled. That what is read is right the
/// tests of the reader say.
/// </summary>
public sealed class SpecReaderGeneratorTests
{
    private const string Before = "#nullable enable\nusing OciRuntime.Spec; using System.Collections.Generic; namespace Drill;\n";
    private const string Reader = """
        [ReaderOf(typeof(Root))]
        static partial class DrillReader
        {
            static string StringElement(ref JsonCursor json) => json.Element(false);
            static string TextElement(ref JsonCursor json) => json.Element(true);
        }

        """;

    // What is declared, and what the error says.
    [TestCase("public double It { get; set; }", "nothing reads a double")]
    [TestCase("public System.DayOfWeek It { get; set; }", "nothing reads a System.DayOfWeek")]
    [TestCase("public object? It { get; set; }", "nothing reads a object?")]
    [TestCase("public List<string> It { get; set; } = [];", "nothing reads a System.Collections.Generic.List<string>")]
    [TestCase("public long[] It { get; set; } = [];", "nothing reads a long[]")]
    [TestCase("public string?[] It { get; set; } = [];", "nothing reads a string?[]")]
    [TestCase("public Base? It { get; set; }", "nothing reads a Drill.Base?")]
    [TestCase("public Deep It { get; set; } = new();", "nothing reads a double")]
    [TestCase("[Text] public long It { get; set; }", "nothing reads a text as long")]
    [TestCase("[Text] public Root? It { get; set; }", "nothing reads a text as Drill.Root?")]
    [TestCase("[Text] public Root[] It { get; set; } = [];", "nothing reads a text as Drill.Root[]")]
    [TestCase("public string It { get; set; } = \"x\";", "it begins as \"x\", but null in the file makes it \"\"")]
    [TestCase("public string? It { get; set; } = \"\";", "it begins as \"\", but null in the file makes it null")]
    [TestCase("public string[] It { get; set; }", "it begins as default, but null in the file makes it []")]
    [TestCase("public long It { get; set; } = -1;", "it begins as -1, but null in the file makes it default")]
    public void Of_a_property(string member, string problem) =>
        Generation.ShouldRefuse(new SpecReaderGenerator(), $"{Before}{Reader} class Root {{ {member} }} " +
            "abstract class Base { } class Deep { public double It { get; set; } }", "It", problem);

    [Test]
    public void Of_a_reader() =>
        Generation.ShouldRefuse(new SpecReaderGenerator(), $"{Before}{Reader} abstract class Root {{ }}", "DrillReader",
            "nothing reads a Drill.Root");

    [TestCase("public bool A { get; set; }", "(json.Is(\"a\"u8)) it.A = json.Boolean() ?? default;")]
    [TestCase("public long? HostID { get; set; }", "(json.Is(\"hostID\"u8)) it.HostID = json.Int64();")]
    [TestCase("public string A { get; set; } = \"\";", "it.A = json.String() ?? \"\";")]
    [TestCase("public string? A { get; set; }", "it.A = json.String();")]
    [TestCase("public string[]? A { get; set; }", "it.A = json.IsNull ? null : Array(ref json, StringElement);")]
    [TestCase("public Root[] A { get; set; } = [];", "it.A = Array(ref json, ReadRootElement);")]
    [TestCase("public Root A { get; set; } = new();", "it.A = ReadRoot(ref json) ?? new();")]
    [TestCase("public Root? A { get; set; }", "it.A = ReadRoot(ref json);")]
    [TestCase("public SpecMap<Root> A { get; set; } = SpecMap<Root>.Empty;", "it.A = Map(ref json, ReadRootElement);")]
    [TestCase("public SpecMap<string> A { get; set; } = SpecMap<string>.Empty;",
        "it.A = Map(ref json, StringElement, nullIsAbsent: true);")]
    [TestCase("public long Computed => 0;", "{\n            json.Skip();")]
    [TestCase("[Text] public string? A { get; set; }", "it.A = json.Text();")]
    [TestCase("[Text] public string[] A { get; set; } = [];", "it.A = Array(ref json, TextElement);")]
    [TestCase("[Text] public SpecMap<string> A { get; set; } = SpecMap<string>.Empty;",
        "it.A = Map(ref json, TextElement, allowNul: true, nullIsAbsent: true);")]
    public void What_is_right_is_made_and_stays_while_nothing_about_it_changes(string member, string code) =>
        Generation.ShouldMake(new SpecReaderGenerator(), $"{Before}{Reader} class Root {{ {member} }}").Should().Contain(code);

}
