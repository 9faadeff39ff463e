using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace OciRuntime.Generators;

/// <summary>What the generators know of the package and of the program by name, and how they write code.</summary>
internal static class Names
{
    public const string Verb = "CommandLine.VerbAttribute", Option = "CommandLine.OptionAttribute", Value = "CommandLine.ValueAttribute";
    public const string OptionSet = "OciRuntime.Cli.OptionSet", Cursor = "OciRuntime.Cli.ArgumentCursor";
    public const string Command = "OciRuntime.Cli.CommandAttribute";
    public const string ReadWith = "OciRuntime.Cli.ReadWithAttribute", Also = "OciRuntime.Cli.AlsoAttribute";
    public const string ReaderOf = "OciRuntime.Spec.ReaderOfAttribute", Text = "OciRuntime.Spec.TextAttribute";
    public const string JsonCursor = "OciRuntime.Spec.JsonCursor";

    private const string OptionsSuffix = "Options";

    /// <summary>The class with the command's method Run: CreateCommand for CreateOptions. Null for a name that ends otherwise.</summary>
    public static string? CommandOf(string optionsClass)
    {
        if (!optionsClass.EndsWith(OptionsSuffix, StringComparison.Ordinal)) return null;
        return $"OciRuntime.Commands.{optionsClass.Substring(0, optionsClass.Length - OptionsSuffix.Length)}Command";
    }

    /// <summary>The attribute of that type as it is written on the symbol, or null.</summary>
    public static AttributeData? Attribute(ISymbol symbol, string type) =>
        symbol.GetAttributes().FirstOrDefault(a => a.AttributeClass?.ToDisplayString() == type);

    /// <summary>A property that is set in an attribute, or nothing.</summary>
    public static TypedConstant Named(this AttributeData attribute, string name) =>
        attribute.NamedArguments.FirstOrDefault(a => a.Key == name).Value;

    /// <summary>A text as a literal of C#, and of C as long as there is nothing special in it.</summary>
    public static string Literal(string? text) => text is null ? "null" : SymbolDisplay.FormatLiteral(text, quote: true);

    public static string Literal(bool value) => value ? "true" : "false";
}
