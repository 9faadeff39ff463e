using Microsoft.CodeAnalysis;

namespace OciRuntime.Generators;

/// <summary>The members of a class of options.</summary>
internal static class Code
{
    /// <param name="own">The options that the class itself declares.</param>
    /// <param name="isFirst">Nobody before it has any.</param>
    /// <param name="compilation">For the way in which values are read.</param>
    public static string Accept(IEnumerable<Declaration> own, bool isFirst, Compilation compilation)
    {
        static string Names(Declaration option) => string.Join(" or ", option.Spellings.Select(Generators.Names.Literal));
        return $$"""
                public override bool Accept(string name, ref ArgumentCursor a)
                {
                    switch (name)
                    {
            {{Lines(own, o => $"            case {Names(o)}: {{ {ValueReader.Statement(o, compilation)} return true; }}")}}
                        default: return {{(isFirst ? "false" : "base.Accept(name, ref a)")}};
                    }
                }

            """;
    }

    public static string AcceptArgument(IEnumerable<Declaration> arguments)
    {
        static string Case(Declaration a) => a.IsList ? $"default: {{ {a.Property.Name}.Add(value); break; }}"
            : $"case {a.Index}: {{ {a.Property.Name} = {ValueReader.Argument(a)}; break; }}";
        return $$"""
                public override void AcceptArgument(int index, string value)
                {
                    switch (index)
                    {
            {{Lines(arguments, static a => $"            {Case(a)}")}}
                    }
                }

            """;
    }

    public static string Facts(Verb verb, Declaration[] arguments)
    {
        string most = arguments.Any(static a => a.IsList) ? "int.MaxValue" : $"{arguments.Length}";
        return $$"""
                public override string VerbName => {{Names.Literal(verb.Name)}};

                public override string Summary => {{Names.Literal(verb.Summary)}};

                public override Arity Arity => new({{arguments.Count(static a => a.Required)}}, {{most}});

            """;
    }

    public static string DescribeOptions(IEnumerable<Declaration> options) => $$"""
            public override OptionDescription[] DescribeOptions() =>
            [
        {{Lines(options, static o => $"        new({Option(o)}),")}}
            ];

        """;

    public static string DescribeArguments(IEnumerable<Declaration> arguments) => $$"""
            public override ArgumentDescription[] DescribeArguments() =>
            [
        {{Lines(arguments, static a => $"        new({Argument(a)}),")}}
            ];

        """;

    public static string Words(IEnumerable<string> words) => string.Join(", ", words.Select(Names.Literal));

    public static string Lines<T>(IEnumerable<T> items, Func<T, string> line) => string.Join("\n", items.Select(line));

    private static string Option(Declaration option)
    {
        string metaValue = Names.Literal(option.IsSwitch ? null : option.ValueName);
        string hint = option.IsSwitch ? "ValueHint.None" : Hint(option, $"ValueHint.OfOption({metaValue})");
        return string.Join(", ", Names.Literal(option.Short), Names.Literal(option.Long), metaValue, Names.Literal(option.Text),
            Names.Literal(option.TypedDefault), Names.Literal(option.Hidden), Names.Literal(option.IsList), hint);
    }

    private static string Argument(Declaration argument)
    {
        string name = Names.Literal(argument.ValueName), repeated = Names.Literal(argument.IsList);
        return string.Join(", ", name, Names.Literal(argument.Required), repeated, Names.Literal(argument.Text),
            Names.Literal(argument.TypedDefault), Hint(argument, $"ValueHint.OfArgument(this, {name}, {repeated})"));
    }

    private static string Hint(Declaration one, string otherwise) =>
        one.Words is { } type ? $"ValueHint.OneOf({Words(EnumWords.ByNumber(type))})" : otherwise;
}
