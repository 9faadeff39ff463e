using System.Globalization;
using Microsoft.CodeAnalysis;

namespace OciRuntime.Generators;

/// <summary>An enumeration as the words for its members: their names in lower case, and what <c>[Also]</c> adds.</summary>
/// <param name="Type">Its name in the code.</param>
/// <param name="Reader">A method TryRead for it.</param>
internal sealed record EnumWords(string Type, string Reader)
{
    public static EnumWords Of(INamedTypeSymbol type)
    {
        string name = type.ToDisplayString();
        static string Words(IFieldSymbol member) => string.Join(" or ", Spellings(member).Select(Names.Literal));
        return new(name, $$"""
                public static bool TryRead(string word, out {{name}} value)
                {
                    switch (word)
                    {
            {{Code.Lines(Members(type), m => $"            case {Words(m)}: value = {name}.{m.Name}; return true;")}}
                        default: value = default; return false;
                    }
                }

            """);
    }

    /// <summary>The words in the order of the declaration, as one lists them in a sentence.</summary>
    public static string Sentence(INamedTypeSymbol type)
    {
        string[] words = [.. Members(type).Select(Typed)];
        return words.Length < 2 ? string.Concat(words) : $"{string.Join(", ", words.Take(words.Length - 1))} or {words[words.Length - 1]}";
    }

    /// <summary>The words in the order of the numbers, as <see cref="Enum.GetNames"/> has them.</summary>
    public static IEnumerable<string> ByNumber(INamedTypeSymbol type) =>
        Members(type).OrderBy(static m => Convert.ToInt64(m.ConstantValue, CultureInfo.InvariantCulture)).Select(Typed);

    public static string Typed(IFieldSymbol member) => member.Name.ToLowerInvariant();

    public static IFieldSymbol MemberOf(TypedConstant value) =>
        Members((INamedTypeSymbol)value.Type!).First(m => Equals(m.ConstantValue, value.Value));

    private static IEnumerable<IFieldSymbol> Members(INamedTypeSymbol type) =>
        type.GetMembers().OfType<IFieldSymbol>().Where(static f => f.HasConstantValue);

    private static IEnumerable<string> Spellings(IFieldSymbol member)
    {
        yield return Typed(member);
        if (Names.Attribute(member, Names.Also) is { } also) yield return (string)also.ConstructorArguments[0].Value!;
    }
}
