using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace OciRuntime.Generators;

/// <summary>
/// Classes whose properties are those of JSON objects. The name of a property is that of the file, but for the case of its first letter;
/// its type tells what the value has to be, and its nullability what null, which counts as absent, makes of it.
/// </summary>
/// <param name="reader">The class that the methods are for. It is in the namespace of the classes.</param>
/// <param name="compilation">For the methods of the cursor.</param>
/// <exception cref="DeclarationException">Nothing reads such a property.</exception>
internal sealed class SpecModel(INamedTypeSymbol reader, Compilation compilation)
{
    private readonly INamedTypeSymbol _cursor = compilation.GetTypeByMetadataName(Names.JsonCursor)!;
    private readonly Dictionary<string, string> _methods = new(StringComparer.Ordinal);

    /// <summary>The methods for all classes that there are below the root, in a fixed order.</summary>
    public string Methods => string.Join("\n", _methods.OrderBy(static m => m.Key, StringComparer.Ordinal).Select(static m => m.Value));

    public void AddRoot(ITypeSymbol type)
    {
        if (!IsObject(type)) throw new DeclarationException(reader, $"nothing reads a {type.ToDisplayString()}");
        Value(type);
    }

    // The method for an object that may be absent.
    private string Value(ITypeSymbol type) =>
        Method($"Read{type.Name}", type, $"{type.Name}?", $"json.StartObject() ? ReadMembers(ref json, new {type.Name}()) : null");

    // The method for an object in a list or map, where nothing can be absent.
    private string Element(ITypeSymbol type) =>
        Method($"Read{type.Name}Element", type, type.Name, $"json.StartElement() ? ReadMembers(ref json, new {type.Name}()) : new()");

    private string Method(string name, ITypeSymbol type, string result, string body)
    {
        _methods[name] = $"    private static {result} {name}(ref JsonCursor json) => {body};\n";
        string members = $"ReadMembers({type.Name})";
        if (!_methods.ContainsKey(members))
        {
            _methods[members] = ""; // It may hold others of its kind.
            _methods[members] = Members(type);
        }
        return name;
    }

    // A chain of comparisons, not a search: nearly all names differ in length already, and most objects have a few.
    private string Members(ITypeSymbol type)
    {
        IEnumerable<IPropertySymbol> properties =
            type.GetMembers().OfType<IPropertySymbol>().Where(static p => !p.IsStatic && p.SetMethod is not null);
        IEnumerable<string> branches = properties.Select(p => $"if (json.Is({JsonName(p)}u8)) it.{p.Name} = {Read(p)};");
        return $$"""
                private static {{type.Name}} ReadMembers(ref JsonCursor json, {{type.Name}} it)
                {
                    while (json.NextProperty())
                    {
                        {{string.Join("\n            else ", branches.Append("json.Skip();"))}}
                    }
                    return it;
                }

            """;
    }

    private static string JsonName(IPropertySymbol property) =>
        Names.Literal(char.ToLowerInvariant(property.Name[0]) + property.Name.Substring(1));

    private string Read(IPropertySymbol property)
    {
        bool isText = Names.Attribute(property, Names.Text) is not null;
        bool orNull = property.NullableAnnotation == NullableAnnotation.Annotated;
        ITypeSymbol type = ValueReader.Optional(property.Type) ?? property.Type;
        string kind = isText ? "Text" : type.Name;
        string? many = Many(type, isText);
        string one = many
            ?? (HasMethod(_cursor, kind, type) ? $"json.{kind}()" : null)
            ?? (IsObject(type) && !isText ? $"{Value(type)}(ref json)" : null)
            ?? throw new DeclarationException(property, $"nothing reads a {(isText ? "text as " : "")}{property.Type.ToDisplayString()}");
        string absent = orNull ? "null"
            : type.IsValueType ? "default"
            : type is IArrayTypeSymbol ? "[]"
            : many is not null ? $"{type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat)}.Empty"
            : type.SpecialType == SpecialType.System_String ? "\"\""
            : "new()";
        CheckStart(property, absent);
        return (many, orNull) switch
        {
            (null, true) => one,
            (null, false) => $"{one} ?? {absent}",
            (_, true) => $"json.IsNull ? null : {many}",
            (_, false) => many,
        };
    }

    // Lists and maps; null for anything else.
    private string? Many(ITypeSymbol type, bool isText)
    {
        if (type is IArrayTypeSymbol { ElementNullableAnnotation: not NullableAnnotation.Annotated } list)
            return ElementReader(list.ElementType, isText) is { } element ? $"Array(ref json, {element})" : null;
        if (type is not INamedTypeSymbol { Name: "SpecMap" } map) return null;
        ITypeSymbol value = map.TypeArguments[0];
        if (ElementReader(value, isText) is not { } read) return null;
        return $"Map(ref json, {read}{(isText ? ", allowNul: true" : "")}{(IsObject(value) ? "" : ", nullIsAbsent: true")})";
    }

    private string? ElementReader(ITypeSymbol type, bool isText)
    {
        if (IsObject(type)) return isText ? null : Element(type);
        string method = $"{(isText ? "Text" : type.Name)}Element";
        return HasMethod(reader, method, type) ? method : null;
    }

    private bool IsObject(ITypeSymbol type) =>
        type is INamedTypeSymbol { TypeKind: TypeKind.Class, IsAbstract: false, IsGenericType: false, ContainingType: null } c
        && c.BaseType?.SpecialType == SpecialType.System_Object && c.InstanceConstructors.Any(static i => i.Parameters.IsEmpty)
        && SymbolEqualityComparer.Default.Equals(c.ContainingNamespace, reader.ContainingNamespace);

    private static bool HasMethod(INamedTypeSymbol of, string name, ITypeSymbol result) =>
        of.GetMembers(name).OfType<IMethodSymbol>().Any(m =>
            SymbolEqualityComparer.Default.Equals(ValueReader.Optional(m.ReturnType) ?? m.ReturnType, result));

    // A property that is not in the file and one that is null there are the same.
    private static void CheckStart(IPropertySymbol property, string absent)
    {
        PropertyDeclarationSyntax? syntax = property.DeclaringSyntaxReferences[0].GetSyntax() as PropertyDeclarationSyntax;
        string start = syntax?.Initializer?.Value.ToString() ?? (absent == "null" ? absent : "default");
        if (start == absent) return;
        throw new DeclarationException(property, $"it begins as {start}, but null in the file makes it {absent}");
    }
}
