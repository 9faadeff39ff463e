using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>A table's header or a key with its value, by its place in the text: from the first of its lines to the end of the last.</summary>
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

/// <summary>
/// Finds the statements of a TOML document, as much as is needed to put others between them: strings and brackets of all kinds, so that nothing in a
/// value is mistaken for a header. What a value means is its reader's business.
/// </summary>
internal sealed class TomlText
{
    private readonly string _text;
    private int _at;

    private TomlText(string text) => _text = text;

    public static List<TomlStatement> Statements(string text) => new TomlText(text).Read();

    private char Current => _at < _text.Length ? _text[_at] : '\0';

    private List<TomlStatement> Read()
    {
        List<TomlStatement> statements = [];
        string[] table = [];
        while (SkipToStatement() is >= 0 and var start)
        {
            if (Current == '[')
            {
                bool array = Looking("[[");
                _at += array ? 2 : 1;
                table = ReadKey();
                Expect(array ? "]]" : "]");
                EndLine();
                statements.Add(new(table, [], "", start, _at, array));
            }
            else
            {
                string[] key = ReadKey();
                Expect("=");
                SkipBlanks();
                int value = _at;
                SkipValue();
                string written = _text[value.._at].TrimEnd();
                EndLine();
                statements.Add(new(table, key, written, start, _at, false));
            }
        }
        return statements;
    }

    /// <summary>Over empty lines and comments; the beginning of the line that the next statement is on, or -1.</summary>
    private int SkipToStatement()
    {
        while (_at < _text.Length)
        {
            int start = _at;
            SkipBlanks();
            if (Current is not ('\n' or '#') && _at < _text.Length) return start;
            EndLine();
        }
        return -1;
    }

    private string[] ReadKey()
    {
        List<string> parts = [];
        do
        {
            SkipBlanks();
            parts.Add(Current is '"' or '\'' ? QuotedKey() : BareKey());
            SkipBlanks();
        }
        while (Take('.'));
        return [.. parts];
    }

    private string BareKey()
    {
        int start = _at;
        while (Toml.IsBare(Current)) _at++;
        return _at > start ? _text[start.._at] : throw Bad();
    }

    // An escape in a key is left as it is: no name that is looked for has one.
    private string QuotedKey()
    {
        int start = _at;
        SkipString();
        return _text[(start + 1)..(_at - 1)];
    }

    /// <summary>A value reaches to the end of the line, or to that on which its last bracket is closed.</summary>
    private void SkipValue()
    {
        int depth = 0, start = _at;
        for (; _at < _text.Length; _at++)
        {
            switch (Current)
            {
                case '"' or '\'': SkipString(); _at--; break;
                case '[' or '{': depth++; break;
                case ']' or '}': depth--; break;
                case '#' when depth > 0: SkipComment(); _at--; break;
                case '#' or '\n' when depth == 0: goto end;
            }
        }
    end:
        if (depth != 0 || _at == start) throw Bad();
    }

    private void SkipString()
    {
        char quote = Current;
        string mark = Looking(new string(quote, 3)) ? new string(quote, 3) : quote.ToString();
        _at += mark.Length;
        while (!Looking(mark))
        {
            if (_at >= _text.Length || (mark.Length == 1 && Current == '\n')) throw Bad();
            _at += Current == '\\' && quote == '"' ? 2 : 1;
        }
        _at += mark.Length;
        // A string in three quotes may end with one or two more.
        for (int i = 0; mark.Length == 3 && i < 2 && Current == quote; i++) _at++;
    }

    private void EndLine()
    {
        SkipBlanks();
        if (Current == '#') SkipComment();
        if (!Take('\n') && _at < _text.Length) throw Bad();
    }

    private void SkipComment()
    {
        while (_at < _text.Length && Current != '\n') _at++;
    }

    private void SkipBlanks()
    {
        while (Current is ' ' or '\t' or '\r') _at++;
    }

    private void Expect(string word)
    {
        if (!Looking(word)) throw Bad();
        _at += word.Length;
    }

    private bool Take(char c)
    {
        if (Current != c || _at >= _text.Length) return false;
        _at++;
        return true;
    }

    private bool Looking(string word) => string.CompareOrdinal(_text, _at, word, 0, word.Length) == 0;

    private OciException Bad() => new($"is not TOML: line {_text.AsSpan(0, Math.Min(_at, _text.Length)).Count('\n') + 1}");
}
