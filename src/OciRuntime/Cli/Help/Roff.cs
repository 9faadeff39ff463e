using System.Buffers;
using System.Text;

namespace OciRuntime.Cli;

/// <summary>A manual page in the making, in the macros of man(7).</summary>
internal sealed class Roff
{
    // What troff makes something else of in running text; apostrophes may become beautiful.
    private static readonly SearchValues<char> Typeset = SearchValues.Create("\\^~`");

    private readonly StringBuilder _text = new();

    public override string ToString() => _text.ToString();

    /// <summary>The title line. Name and section are what man(1) looks for, the rest is printed in the footer.</summary>
    public Roff Title(string name, string section, string date, string source)
    {
        _text.Append($".TH \"{Literal(name)}\" \"{section}\" \"{date}\" \"{Literal(source)}\"\n");
        return this;
    }

    public Roff Section(string name)
    {
        _text.Append($".SH {name}\n");
        return this;
    }

    /// <summary>Lines that hold markup already; none begins with a dot.</summary>
    public Roff Line(string markup)
    {
        _text.Append(markup).Append('\n');
        return this;
    }

    public Roff Paragraph(string prose) => Line(Prose(prose));

    /// <summary>A term and, indented, what it means.</summary>
    public Roff Term(string markup, string prose) => Line(".TP").Line(markup).Line(Prose(prose));

    /// <summary>A command line, as it is, with what it is for.</summary>
    public Roff Example(string purpose, string command) =>
        Line(Prose(purpose + ":")).Line(".PP").Line(".RS 4").Line(".nf").Line(Literal(command)).Line(".fi").Line(".RE");

    public static string Bold(string text) => $"\\fB{Literal(text)}\\fR";

    public static string Italic(string text) => $"\\fI{Literal(text)}\\fR";

    /// <summary>Text that can be copied from the page: hyphens and quotes would be typeset otherwise.</summary>
    public static string Literal(string text)
    {
        StringBuilder result = new();
        foreach (Rune rune in text.EnumerateRunes())
        {
            result.Append(rune.Value switch
            {
                '\\' => "\\e",
                '-' => "\\-",
                '\'' => "\\(aq",
                '"' => "\\(dq",
                '`' => "\\(ga",
                '^' => "\\(ha",
                '~' => "\\(ti",
                > 0x7e => $"\\[u{rune.Value:X4}]",
                _ => rune.ToString(),
            });
        }
        return Protect(result.ToString());
    }

    /// <summary>Running text on one line; the words that begin with a dash are options, to be copied.</summary>
    public static string Prose(string text) =>
        Protect(string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(Word)));

    private static string Word(string word) =>
        word.TrimStart('"', '(').StartsWith('-') || !Ascii.IsValid(word) || word.AsSpan().ContainsAny(Typeset) ? Literal(word) : word;

    // A line that begins so would be a request.
    private static string Protect(string line) => line is ['.' or '\'', ..] ? "\\&" + line : line;
}
