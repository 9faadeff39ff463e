using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace OciRuntime.Generators;

/// <summary>A property with CommandLineParser's <c>[Option]</c> or <c>[Value]</c>.</summary>
/// <exception cref="DeclarationException">It says something that nobody would carry out.</exception>
internal sealed class Declaration
{
    private readonly AttributeData _attribute;

    private Declaration(IPropertySymbol property, AttributeData attribute, params string[] understood)
    {
        Property = property;
        _attribute = attribute;
        foreach (KeyValuePair<string, TypedConstant> argument in attribute.NamedArguments)
        {
            if (understood.Contains(argument.Key)) continue;
            throw new DeclarationException(property, $"{argument.Key} is not carried out here; these are: {string.Join(", ", understood)}");
        }
        if (Text.Length == 0) throw new DeclarationException(property, "HelpText is missing");
        if (property.SetMethod is null && !IsList) throw new DeclarationException(property, "it has no setter, and is no List<string>");
    }

    public IPropertySymbol Property { get; }

    public ITypeSymbol Type => Property.Type;

    /// <summary>A one-letter name, or null.</summary>
    public string? Short { get; private set; }

    /// <summary>The long name; empty when there is none.</summary>
    public string Long { get; private set; } = "";

    /// <summary>The names without dashes.</summary>
    public IEnumerable<string> Spellings => new[] { Long, Short }.OfType<string>().Where(static name => name.Length > 0);

    /// <summary>Which argument it is, from 0.</summary>
    public int Index { get; private set; }

    /// <summary>Its words, where an argument is one of some and nothing is said about it.</summary>
    public string Text => _attribute.Named("HelpText").Value as string
        ?? (IsArgument && Words is { } words ? EnumWords.Sentence(words) : "");

    /// <summary>The word for the value in the help: <c>DIR</c>, or an argument's name; its words where it has none.</summary>
    public string ValueName => (_attribute.Named("MetaValue").Value ?? _attribute.Named("MetaName").Value) as string
        ?? (IsArgument && Words is { } words ? string.Join("|", EnumWords.ByNumber(words)) : "");

    public TypedConstant Default => _attribute.Named("Default");

    public bool Hidden => _attribute.Named("Hidden").Value is true;

    public bool Required => _attribute.Named("Required").Value is true;

    /// <summary>The enumeration of whose words it is one, or null.</summary>
    public INamedTypeSymbol? Words => ValueReader.EnumOf(Type);

    private bool IsArgument => _attribute.AttributeClass!.ToDisplayString() == Names.Value;

    public bool IsSwitch => Type.SpecialType == SpecialType.System_Boolean;

    public bool IsList => Type.ToDisplayString() == "System.Collections.Generic.List<string>";

    /// <summary>The default as one types it, where members of enumerations are in lower case; null when there is none.</summary>
    public string? TypedDefault =>
        Default.IsNull ? null
        : Default.Kind == TypedConstantKind.Enum ? EnumWords.Typed(EnumWords.MemberOf(Default))
        : Convert.ToString(Default.Value, CultureInfo.InvariantCulture);

    public static Declaration? OptionOf(IPropertySymbol property)
    {
        if (Names.Attribute(property, Names.Option) is not { } attribute) return null;
        Declaration option = new(property, attribute, "HelpText", "MetaValue", "Default", "Hidden");
        foreach (TypedConstant argument in attribute.ConstructorArguments)
        {
            if (argument.Value is char letter) option.Short = letter.ToString();
            else option.Long = argument.Value as string ?? "";
        }
        if (!option.Spellings.Any()) throw new DeclarationException(property, "an option needs a name");
        if (!option.IsSwitch && option.ValueName.Length == 0) throw new DeclarationException(property, "MetaValue is missing");
        return option;
    }

    public static Declaration? ArgumentOf(IPropertySymbol property)
    {
        if (Names.Attribute(property, Names.Value) is not { } attribute) return null;
        Declaration argument = new(property, attribute, "HelpText", "MetaName", "Default", "Required");
        argument.Index = (int)attribute.ConstructorArguments[0].Value!;
        if (argument.Type.SpecialType != SpecialType.System_String && !argument.IsList && argument.Words is null)
            throw new DeclarationException(property, "an argument is a string or an enumeration, and the last may be a List<string>");
        return argument.ValueName.Length > 0 ? argument : throw new DeclarationException(property, "MetaName is missing");
    }

    /// <summary>The default in the attribute, which the help shows, has to be what the property begins with.</summary>
    public void CheckDefault(Compilation compilation)
    {
        if (Default.IsNull) return;
        PropertyDeclarationSyntax? syntax = Property.DeclaringSyntaxReferences[0].GetSyntax() as PropertyDeclarationSyntax;
        ExpressionSyntax? initial = syntax?.Initializer?.Value;
        object? value = Type.IsValueType ? 0 : null;
        if (initial is not null) value = compilation.GetSemanticModel(initial.SyntaxTree).GetConstantValue(initial).Value;
        if (Equals(value, Default.Value)) return;
        throw new DeclarationException(Property, $"Default is {Default.ToCSharpString()}, but the property begins as {value ?? "null"}");
    }
}
