using System.Globalization;
using System.Text;

namespace OciRuntime.Spec;

/// <summary>
/// Values in GVariant's text format (https://docs.gtk.org/glib/gvariant-text-format.html): <c>true</c>, <c>'text'</c>, <c>uint64 5</c>,
/// <c>@as []</c>,
/// <c>[('a', 1)]</c>. Dictionaries, variants and maybes are refused: no property of a systemd unit has them.
/// </summary>
internal ref struct VariantText
{
    // Deeper than any property, and far from the end of the stack.
    private const int MaxDepth = 16;

    private readonly ReadOnlySpan<char> _text;
    private int _at;

    private VariantText(ReadOnlySpan<char> text) => _text = text;

    /// <summary>Reads one value.</summary>
    /// <exception cref="FormatException">With what is wrong, as the end of a sentence.</exception>
    public static VariantValue Parse(string text)
    {
        VariantText reader = new(text);
        VariantNode node = reader.ReadValue(0);
        reader.SkipBlanks();
        return reader._at == text.Length ? VariantTyping.Resolve(node) : throw reader.Unexpected();
    }

    private VariantNode ReadValue(int depth)
    {
        if (depth > MaxDepth) throw new FormatException("is nested too deeply");
        SkipBlanks();
        switch (Peek())
        {
            case '@':
                _at++;
                return Typed(ReadWhile(static c => char.IsAsciiLetter(c) || c is '(' or ')' or '{' or '}'), depth);
            case '[': return new(VariantKind.Array) { Items = ReadItems(']', depth) };
            case '(': return new(VariantKind.Structure) { Items = ReadItems(')', depth) };
            case '\'' or '"': return new(VariantKind.Text) { Text = ReadQuoted(bytes: false) };
            case 'b' when Peek(1) is '\'' or '"':
                _at++;
                return new(VariantKind.Bytes) { Text = ReadQuoted(bytes: true) };
            case >= '0' and <= '9' or '+' or '-' or '.': return new(VariantKind.Number) { Text = ReadNumber() };
            default: return ReadWord(depth);
        }
    }

    private VariantNode ReadWord(int depth)
    {
        int start = _at;
        string word = ReadWhile(char.IsAsciiLetterOrDigit);
        if (word is "true" or "false") return new(VariantKind.Boolean) { Text = word };
        if (word is "inf" or "nan") return new(VariantKind.Number) { Text = word };
        if (VariantTyping.TypeOf(word) is { } type) return Typed(type, depth);
        _at = start;
        throw Unexpected();
    }

    private VariantNode Typed(string type, int depth)
    {
        VariantTyping.CheckType(type);
        VariantNode node = ReadValue(depth + 1);
        if (node.Type is not null && node.Type != type) throw new FormatException($"has two types, {type} and {node.Type}");
        node.Type = type;
        return node;
    }

    private List<VariantNode> ReadItems(char close, int depth)
    {
        List<VariantNode> items = [];
        _at++;
        for (SkipBlanks(); Peek() != close; SkipBlanks())
        {
            if (items.Count > 0) Expect(',');
            SkipBlanks();
            // A structure of one member has a comma behind it.
            if (Peek() == close && close == ')' && items.Count == 1)
                break;
            items.Add(ReadValue(depth + 1));
        }
        _at++;
        return items;
    }

    private string ReadNumber()
    {
        int start = _at++;
        while (char.IsAsciiLetterOrDigit(Peek()) || Peek() == '.' || (Peek() is '+' or '-' && _text[_at - 1] is 'e' or 'E')) _at++;
        return _text[start.._at].ToString();
    }

    private string ReadQuoted(bool bytes)
    {
        char quote = _text[_at++];
        StringBuilder value = new();
        while (Peek() != quote)
        {
            char c = Take();
            if (c == '\\') ReadEscape(value, bytes);
            else if (bytes && c > 0x7f) throw new FormatException("has a byte string with a character that is no ASCII");
            else value.Append(c);
        }
        _at++;
        return value.ToString();
    }

    private void ReadEscape(StringBuilder value, bool bytes)
    {
        char c = Take();
        switch (c)
        {
            case 'a': value.Append('\a'); break;
            case 'b': value.Append('\b'); break;
            case 'f': value.Append('\f'); break;
            case 'n': value.Append('\n'); break;
            case 'r': value.Append('\r'); break;
            case 't': value.Append('\t'); break;
            case 'v': value.Append('\v'); break;
            case '\n': break;
            case 'u' when !bytes: AppendRune(value, 4); break;
            case 'U' when !bytes: AppendRune(value, 8); break;
            case >= '0' and <= '7' when bytes: value.Append(ReadOctal(c - '0')); break;
            default: value.Append(c); break;
        }
    }

    private void AppendRune(StringBuilder value, int digits)
    {
        if (_text.Length - _at < digits
            || !int.TryParse(_text.Slice(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int code)
            || !Rune.IsValid(code))
        {
            throw new FormatException($"has an escape at character {_at - 1} that is no Unicode character");
        }
        _at += digits;
        value.Append(new Rune(code).ToString());
    }

    private char ReadOctal(int value)
    {
        for (int digits = 1; digits < 3 && Peek() is >= '0' and <= '7'; digits++) value = value * 8 + (Take() - '0');
        return value <= 0xff ? (char)value : throw new FormatException("has an octal escape above \\377");
    }

    private string ReadWhile(Func<char, bool> accept)
    {
        int start = _at;
        while (_at < _text.Length && accept(_text[_at])) _at++;
        return _text[start.._at].ToString();
    }

    private void SkipBlanks()
    {
        while (Peek() is ' ' or '\t' or '\n' or '\r') _at++;
    }

    private void Expect(char wanted)
    {
        if (Peek() != wanted) throw Unexpected();
        _at++;
    }

    // NUL stands for the end; D-Bus has no text with a NUL, so one in the middle may as well be one.
    private readonly char Peek(int ahead = 0) => _at + ahead < _text.Length ? _text[_at + ahead] : '\0';

    private char Take() => Peek() != '\0' ? _text[_at++] : throw new FormatException("ends in the middle of a text");

    private readonly FormatException Unexpected() => new(_at >= _text.Length
        ? "is not complete: a value in GVariant text format, such as true, 'text', uint64 5 or ['a', 'b'], is expected"
        : $"is not a value in GVariant text format, such as true, 'text', uint64 5 or ['a', 'b']: unexpected at character {_at + 1}");
}
