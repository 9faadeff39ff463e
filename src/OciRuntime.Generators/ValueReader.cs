using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace OciRuntime.Generators;

/// <summary>How the value of an option is read: the type of its property tells, or <c>[ReadWith]</c>.</summary>
/// <exception cref="DeclarationException">Nothing is known about such a property.</exception>
internal static class ValueReader
{
    /// <summary>The statement that draws the value from the cursor <c>a</c>.</summary>
    public static string Statement(Declaration option, Compilation compilation)
    {
        string name = option.Property.Name;
        if (Names.Attribute(option.Property, Names.ReadWith) is { } reader)
            return $"{name} = {Own(option, (string)reader.ConstructorArguments[0].Value!, compilation)};";
        if (option.IsList) return $"a.AddTo({name});";
        ITypeSymbol? optional = Optional(option.Type);
        if (option.Words is { } words)
        {
            string invalid = $"throw a.Invalid(text, {Names.Literal(EnumWords.Sentence(words))})";
            string empty = optional is null ? Default(option) : "null";
            return $"{name} = a.Text() is not {{ }} text ? {empty} : {Read(words, "text", invalid)};";
        }
        bool mayBeNull = option.Property.NullableAnnotation == NullableAnnotation.Annotated;
        return (option.Type.SpecialType, optional?.SpecialType) switch
        {
            (SpecialType.System_Boolean, _) => $"{name} = a.Flag();",
            (SpecialType.System_String, _) => mayBeNull ? $"{name} = a.Text();" : $"{name} = a.Text() ?? {name};",
            (SpecialType.System_Int32, _) => $"{name} = (int)(a.Natural(int.MaxValue) ?? {Default(option)});",
            (_, SpecialType.System_Int64) => $"{name} = a.Number();",
            (_, SpecialType.System_UInt64) => $"{name} = (ulong?)a.Natural(long.MaxValue);",
            (_, SpecialType.System_UInt16) => $"{name} = (ushort?)a.Natural(ushort.MaxValue);",
            _ => throw new DeclarationException(option.Property, $"nothing reads a {option.Type}: name a method in [ReadWith]"),
        };
    }

    /// <summary>The expression for an argument that is the variable <c>value</c>.</summary>
    public static string Argument(Declaration argument)
    {
        if (argument.Words is not { } words) return "value";
        string unknown = $"unknown {argument.Property.Name.ToLowerInvariant()} \\\"{{value}}\\\": expected {EnumWords.Sentence(words)}";
        return Read(words, "value", $"throw new OciRuntime.Cli.UsageException($\"{unknown}\")");
    }

    private static string Read(INamedTypeSymbol words, string text, string otherwise) =>
        $"EnumWords.TryRead({text}, out {words.ToDisplayString()} word) ? word : {otherwise}";

    /// <summary>The enumeration of whose words the value is one, or null.</summary>
    public static INamedTypeSymbol? EnumOf(ITypeSymbol type) =>
        (Optional(type) ?? type) is INamedTypeSymbol { TypeKind: TypeKind.Enum } words ? words : null;

    /// <summary>The long of long?, null for long.</summary>
    public static ITypeSymbol? Optional(ITypeSymbol type) =>
        type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } n ? n.TypeArguments[0] : null;

    // What an empty value stands for.
    private static string Default(Declaration option) =>
        !option.Default.IsNull ? option.Default.ToCSharpString()
        : throw new DeclarationException(option.Property, "Default is missing: an empty value means it");

    private static string Own(Declaration option, string method, Compilation compilation)
    {
        bool Fits(IMethodSymbol m) => m.Name == method && compilation.ClassifyConversion(m.ReturnType, option.Type).IsImplicit;
        bool TakesCursor(IMethodSymbol m) => m is { IsStatic: true, Parameters.Length: 1 }
            && m.Parameters[0] is { RefKind: RefKind.Ref } a && a.Type.ToDisplayString() == Names.Cursor;
        IEnumerable<IMethodSymbol> beside = option.Property.ContainingType.GetMembers().OfType<IMethodSymbol>();
        if (beside.Any(m => Fits(m) && TakesCursor(m))) return $"{method}(ref a)";
        IEnumerable<IMethodSymbol> ofCursor = compilation.GetTypeByMetadataName(Names.Cursor)!.GetMembers().OfType<IMethodSymbol>();
        if (ofCursor.Any(m => Fits(m) && m.Parameters.IsEmpty)) return $"a.{method}()";
        string wanted = $"{option.Type.ToDisplayString()} {method}";
        throw new DeclarationException(option.Property,
            $"[ReadWith]: there is no static {wanted}(ref ArgumentCursor) beside it, and no {wanted}() of ArgumentCursor");
    }
}
