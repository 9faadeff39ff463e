using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace OciRuntime.Generators;

/// <summary>A class of options: what is made from it, or what is wrong with it.</summary>
/// <param name="Name">The class.</param>
/// <param name="Members">The code for the other part of the class.</param>
/// <param name="Verb">The command whose options it has; null when it is shared or global.</param>
/// <param name="Enums">Enumerations that its options are read as.</param>
/// <param name="Problem">Then nothing is made.</param>
internal sealed record OptionsClass(string Name, string Members, Verb? Verb, EquatableList<EnumWords> Enums, Problem? Problem)
{
    /// <summary>Null for a class of something else.</summary>
    public static OptionsClass? Read(GeneratorSyntaxContext context, CancellationToken cancellation)
    {
        ClassDeclarationSyntax syntax = (ClassDeclarationSyntax)context.Node;
        if (context.SemanticModel.GetDeclaredSymbol(syntax, cancellation) is not INamedTypeSymbol type) return null;
        // The most basic first.
        List<INamedTypeSymbol> line = [];
        for (INamedTypeSymbol? t = type; t is not null; t = t.BaseType) line.Insert(0, t);
        int root = line.FindIndex(static t => t.ToDisplayString() == Names.OptionSet);
        if (root < 0 || root == line.Count - 1) return null;
        try
        {
            if (type.ContainingType is not null || !syntax.Modifiers.Any(static m => m.Text == "partial"))
                throw new DeclarationException(type, "a class of options is partial, and in no other: the rest is made of attributes");
            return Make(type, line, context.SemanticModel.Compilation);
        }
        catch (DeclarationException e)
        {
            return new(type.Name, "", null, new([]), e.Problem);
        }
    }

    private static OptionsClass Make(INamedTypeSymbol type, List<INamedTypeSymbol> line, Compilation compilation)
    {
        IPropertySymbol[] properties = [.. line.SelectMany(static t => t.GetMembers().OfType<IPropertySymbol>())];
        // An override speaks for what it overrides.
        IEnumerable<ISymbol> overridden = properties.Select(static p => p.OverriddenProperty).OfType<ISymbol>();
        properties = [.. properties.Except(overridden, SymbolEqualityComparer.Default).Cast<IPropertySymbol>()];
        Declaration[] options = [.. properties.Select(Declaration.OptionOf).OfType<Declaration>()];
        Declaration[] arguments = [.. properties.Select(Declaration.ArgumentOf).OfType<Declaration>().OrderBy(static a => a.Index)];
        options = [.. options.OrderBy(static o => o.Long, StringComparer.Ordinal)];
        CheckNames(options);
        CheckOrder(arguments);
        foreach (Declaration declaration in options.Concat(arguments)) declaration.CheckDefault(compilation);
        bool IsOwn(Declaration d) => SymbolEqualityComparer.Default.Equals(d.Property.ContainingType, type);
        Declaration[] own = [.. options.Where(IsOwn)];
        bool isFirst = type.BaseType!.ToDisplayString() == Names.OptionSet;
        Verb? verb = type.IsAbstract ? null : Verb.Of(type, line.Count, compilation);
        List<string> members = [];
        if (own.Length > 0 || isFirst) members.Add(Code.Accept(own, isFirst, compilation));
        if (arguments.Any(IsOwn)) members.Add(Code.AcceptArgument(arguments));
        if (verb is not null) members.Add(Code.Facts(verb, arguments));
        if (!type.IsAbstract) members.Add(Code.DescribeOptions(options));
        if (!type.IsAbstract && arguments.Length > 0) members.Add(Code.DescribeArguments(arguments));
        IEnumerable<INamedTypeSymbol> enums = own.Concat(arguments).Select(static d => d.Words).OfType<INamedTypeSymbol>();
        return new(type.Name, string.Join("\n", members), verb, new(enums.Select(EnumWords.Of)), null);
    }

    private static void CheckNames(Declaration[] options)
    {
        HashSet<string> names = [];
        foreach (Declaration option in options)
        {
            string? twice = option.Spellings.FirstOrDefault(name => !names.Add(name));
            if (twice is not null) throw new DeclarationException(option.Property, $"another option is called {twice}, too");
        }
    }

    private static void CheckOrder(Declaration[] arguments)
    {
        for (int i = 0; i < arguments.Length; i++)
        {
            string? problem = arguments[i].Index != i ? $"of the arguments none, or more than one, has the number {i}"
                : arguments[i].IsList && i < arguments.Length - 1 ? "only the last argument can be repeated"
                : arguments[i].Required && i > 0 && !arguments[i - 1].Required ? "a required argument stands behind one that is not"
                : null;
            if (problem is not null) throw new DeclarationException(arguments[i].Property, problem);
        }
    }
}
