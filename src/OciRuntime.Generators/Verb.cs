using Microsoft.CodeAnalysis;

namespace OciRuntime.Generators;

/// <summary>A command, from CommandLineParser's <c>[Verb]</c> and <c>[Command]</c>.</summary>
/// <param name="Name">As it is typed.</param>
/// <param name="Summary">The line about it in the help.</param>
/// <param name="Options">The class of its options.</param>
/// <param name="Place">In the help; those with lower numbers come first.</param>
/// <param name="Prelude">What happens before the .NET runtime starts: a member of the enumeration of that name; empty for nothing.</param>
/// <param name="Depth">How many classes it is derived from: of two types the deeper one has to be asked for first.</param>
/// <param name="Where">For what is wrong with it among others.</param>
internal sealed record Verb(string Name, string Summary, string Options, int Place, string Prelude, int Depth, Problem Where)
{
    /// <exception cref="DeclarationException">Something about it is missing.</exception>
    public static Verb? Of(INamedTypeSymbol type, int depth, Compilation compilation)
    {
        if (Names.Attribute(type, Names.Verb) is not { } verb) return null;
        if (verb.NamedArguments.Length != 1 || verb.Named("HelpText").Value is not string { Length: > 0 } summary)
            throw new DeclarationException(type, "[Verb] needs a HelpText, and nothing else is carried out here");
        if (Names.Attribute(type, Names.Command) is not { } command)
            throw new DeclarationException(type, "[Command] is missing: it has the place in the help");
        string runner = Names.CommandOf(type.Name)
            ?? throw new DeclarationException(type, "the options of the command xyz are called XyzOptions");
        bool Runs(IMethodSymbol m) => m.Parameters.Length == 2 && SymbolEqualityComparer.Default.Equals(m.Parameters[1].Type, type);
        IEnumerable<ISymbol> methods = compilation.GetTypeByMetadataName(runner)?.GetMembers("Run") ?? [];
        if (!methods.OfType<IMethodSymbol>().Any(Runs))
            throw new DeclarationException(type, $"there is no {runner}.Run(GlobalOptions, {type.Name})");
        string name = (string)verb.ConstructorArguments[0].Value!;
        TypedConstant prelude = command.Named("Prelude");
        string before = prelude.IsNull ? "" : EnumWords.MemberOf(prelude).Name;
        return new(name, summary, type.Name, (int)command.ConstructorArguments[0].Value!, before, depth, Problem.Of(type, ""));
    }
}
