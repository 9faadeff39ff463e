using OciRuntime.Linux;
using Tomlyn;
using Tomlyn.Parsing;
using Tomlyn.Syntax;

namespace OciRuntime.Setup;

/// <summary>
/// A table's header or a key with its value, by its place in the text: from the first of its lines to the end of the last.
/// </summary>
/// <param name="Table">The table that it opens, or that it is in.</param>
/// <param name="Key">The key within the table; empty for a header.</param>
/// <param name="Value">The value as it is written; empty for a header.</param>
/// <param name="Start">The first character of its first line.</param>
/// <param name="End">The character after its last line.</param>
/// <param name="IsArray">True for the header of an element of an array, <c>[[…]]</c>.</param>
internal sealed record TomlStatement(string[] Table, string[] Key, string Value, int Start, int End, bool IsArray)
{
    public bool IsHeader => Key.Length == 0;

    /// <summary>The keys from the top of the document.</summary>
    public string[] Path => [.. Table, .. Key];
}

/// <summary>The statements of a TOML document, by their places: what is put between them leaves every other byte as it is.</summary>
internal static class TomlText
{
    /// <exception cref="OciException">It is no TOML, or says something twice.</exception>
    public static List<TomlStatement> Statements(string text)
    {
        DocumentSyntax document = Parse(text);
        List<TomlStatement> statements = [];
        Add(document.KeyValues, []);
        foreach (TableSyntaxBase table in document.Tables)
        {
            string[] name = Keys(table.Name!);
            statements.Add(new(name, [], "", StartOfLine(table), EndOfLine(table.CloseBracket!), table is TableArraySyntax));
            Add(table.Items, name);
        }
        return statements;

        void Add(SyntaxList<KeyValueSyntax> pairs, string[] table)
        {
            foreach (KeyValueSyntax pair in pairs)
            {
                SourceSpan value = pair.Value!.Span;
                statements.Add(new(table, Keys(pair.Key!), text.Substring(value.Offset, value.Length), StartOfLine(pair),
                    EndOfLine(pair.Value), false));
            }
        }

        int StartOfLine(SyntaxNode node) => text.AsSpan(0, node.Span.Offset).LastIndexOf('\n') + 1;

        int EndOfLine(SyntaxNode node) =>
            text.IndexOf('\n', node.Span.Offset + node.Span.Length) is >= 0 and int end ? end + 1 : text.Length;
    }

    private static DocumentSyntax Parse(string text)
    {
        try
        {
            DocumentSyntax document = SyntaxParser.Parse(text);
            if (document.Diagnostics.FirstOrDefault(static d => d.Kind == DiagnosticMessageKind.Error) is { } first)
                throw new OciException($"is not TOML: line {first.Span.Start.Line + 1}: {first.Message}");
            return document;
        }
        catch (TomlException)
        {
            throw new OciException("has values that are nested more than 64 deep");
        }
        catch (ArgumentOutOfRangeException)
        {
            // Tomlyn 2.10.2 stumbles over a backslash in a string as the last of all characters.
            throw new OciException("is not TOML: a string without end");
        }
    }

    private static string[] Keys(KeySyntax key) => [Name(key.Key!), .. key.DotKeys.Select(static item => Name(item.Key!))];

    private static string Name(BareKeyOrStringValueSyntax key) =>
        key is StringValueSyntax quoted ? quoted.Value! : ((BareKeySyntax)key).Key!.Text!;
}
