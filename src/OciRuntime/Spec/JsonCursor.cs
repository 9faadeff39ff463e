using System.Text;
using System.Text.Json;
using System.Text.Unicode;
using OciRuntime.Linux;

namespace OciRuntime.Spec;

/// <summary>
/// A walk over a JSON document that never throws for a value of the wrong type: it notes the problem, skips the value and goes on,
/// so that one run reports everything. Syntax errors still surface as <see cref="JsonException"/> from the reader below.
/// </summary>
/// <remarks>
/// Contract: after <see cref="NextProperty"/> or <see cref="NextElement"/> returned true the cursor stands on a value, which must be
/// consumed by exactly one call. Where that value lies in the document is worked out only when there is something to complain about.
/// </remarks>
internal ref struct JsonCursor
{
    public const string MustBeObject = "must be an object", MustBeArray = "must be an array";

    private const int MaxShownBytes = 48;

    private readonly ReadOnlySpan<byte> _text;
    private readonly SpecProblems _problems;
    private Utf8JsonReader _json;
    private JsonLocator _locator;
    private ReadOnlySpan<byte> _name;
    private int _items;
    private bool _stopped;

    public JsonCursor(ReadOnlySpan<byte> text, SpecProblems problems)
    {
        _text = text;
        _problems = problems;
        _json = new Utf8JsonReader(text, new JsonReaderOptions { MaxDepth = SpecReader.MaxDepth });
        _locator = new JsonLocator(text);
    }

    /// <summary>How deep the reader stood when it gave up; tells nesting from other syntax errors.</summary>
    public readonly int Depth => _json.CurrentDepth + (_json.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray ? 1 : 0);

    /// <summary>Moves onto the document's value, which may not be null.</summary>
    /// <param name="wanted">What it must be.</param>
    public void Start(string wanted)
    {
        if (_json.Read() && IsNull) Problem(wanted);
    }

    /// <summary>Makes sure that nothing but white space follows.</summary>
    public void Finish()
    {
        while (!_stopped && _json.Read())
        {
        }
    }

    /// <summary>
    /// True when the current value is an object, which the caller then walks with <see cref="NextProperty"/>; null is no object and no
    /// error.
    /// </summary>
    public bool StartObject() => _json.TokenType == JsonTokenType.StartObject ? Count() : Wrong(MustBeObject);

    /// <summary>True when the current value is an array, to be walked with <see cref="NextElement"/>.</summary>
    public bool StartArray() => _json.TokenType == JsonTokenType.StartArray || Wrong(MustBeArray);

    /// <summary>Moves to the value of the next member of the current object.</summary>
    public bool NextProperty()
    {
        if (_stopped || !_json.Read() || _json.TokenType == JsonTokenType.EndObject) return false;
        _name = _json.ValueIsEscaped ? UnescapedName() : _json.ValueSpan;
        return _json.Read();
    }

    /// <summary>Moves to the next element of the current array.</summary>
    public bool NextElement() => !_stopped && _json.Read() && _json.TokenType != JsonTokenType.EndArray && Count();

    /// <summary>Like <see cref="NextProperty"/> for objects with free keys, whose members are kept and therefore counted.</summary>
    public bool NextMember() => NextProperty() && Count();

    /// <summary>Whether the current value is null, where that differs from absent or empty.</summary>
    public readonly bool IsNull => _json.TokenType == JsonTokenType.Null;

    /// <summary>Whether the member just reached has this name. Only valid before its value is consumed.</summary>
    public readonly bool Is(ReadOnlySpan<byte> name) => _name.SequenceEqual(name);

    /// <summary>Consumes a value nobody asked for: unknown properties are ignored (config.md, "Extensibility").</summary>
    public void Skip() => _json.Skip();

    /// <summary>The name of the member just reached, for objects with free keys.</summary>
    public string Key(bool allowNul)
    {
        if (!Utf8.IsValid(_name)) Problem("has a name that is not valid UTF-8");
        else if (!allowNul && _name.Contains((byte)0)) Problem("has a NUL character in its name");
        else return Encoding.UTF8.GetString(_name);
        return "";
    }

    /// <summary>A string that will reach the kernel, where a NUL would silently end it.</summary>
    public string? String() => ReadString(allowNul: false, orNull: true);

    /// <summary>A string that stays text.</summary>
    public string? Text() => ReadString(allowNul: true, orNull: true);

    /// <summary>A string that may not be null: an array element or a value of a map.</summary>
    public string Element(bool allowNul) => ReadString(allowNul, orNull: false) ?? "";

    /// <summary>An object that may not be null; see <see cref="StartObject"/>.</summary>
    public bool StartElement()
    {
        if (_json.TokenType != JsonTokenType.Null) return StartObject();
        Problem(MustBeObject);
        return false;
    }

    /// <summary>A boolean; null counts as absent.</summary>
    public bool? Boolean()
    {
        if (_json.TokenType is JsonTokenType.True or JsonTokenType.False) return _json.TokenType == JsonTokenType.True;
        Wrong("must be true or false");
        return null;
    }

    /// <summary>An integer of 16 bits; null counts as absent, for all widths.</summary>
    public ushort? UInt16()
    {
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetUInt16(out ushort value)) return value;
        Wrong("must be an integer from 0 to 65535");
        return null;
    }

    /// <summary>A signed integer of 32 bits.</summary>
    public int? Int32()
    {
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetInt32(out int value)) return value;
        Wrong("must be an integer from -2147483648 to 2147483647");
        return null;
    }

    /// <summary>An integer of 32 bits.</summary>
    public uint? UInt32()
    {
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetUInt32(out uint value)) return value;
        Wrong("must be an integer from 0 to 4294967295");
        return null;
    }

    /// <summary>An integer of 32 bits that may not be null: an array element.</summary>
    public uint UInt32Element()
    {
        if (IsNull) Problem("must be an integer from 0 to 4294967295");
        return UInt32() ?? 0;
    }

    /// <summary>A signed integer of 64 bits.</summary>
    public long? Int64()
    {
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetInt64(out long value)) return value;
        Wrong("must be an integer from -9223372036854775808 to 9223372036854775807");
        return null;
    }

    /// <summary>An integer of 64 bits.</summary>
    public ulong? UInt64()
    {
        if (_json.TokenType == JsonTokenType.Number && _json.TryGetUInt64(out ulong value)) return value;
        Wrong("must be an integer from 0 to 18446744073709551615");
        return null;
    }

    private string? ReadString(bool allowNul, bool orNull)
    {
        if (_json.TokenType != JsonTokenType.String)
        {
            if (orNull) Wrong("must be a string");
            else WrongOrNull("must be a string");
            return null;
        }
        if (!_json.ValueIsEscaped)
        {
            if (Utf8.IsValid(_json.ValueSpan)) return Encoding.UTF8.GetString(_json.ValueSpan);
            Problem("is not valid UTF-8");
            return null;
        }
        // Raw control characters are syntax errors, so only \u0000 can bring a NUL in.
        string? value = Unescape();
        if (value is null) Problem("is not valid Unicode");
        else if (!allowNul && value.Contains('\0')) Problem("must not contain a NUL character");
        else return value;
        return null;
    }

    private readonly string? Unescape()
    {
        try
        {
            return _json.GetString();
        }
        catch (InvalidOperationException)
        {
            return null;
        }
    }

    private readonly ReadOnlySpan<byte> UnescapedName() => Unescape() is { } name ? Encoding.UTF8.GetBytes(name) : [0xff];

    // Objects cost more memory than the text they come from ("{}" is 2 bytes, a Mount 70): bound their number, not only the file.
    private bool Count()
    {
        if (++_items <= SpecReader.MaxItems) return true;
        if (!_stopped) _problems.Error("", null, $"has more than {SpecReader.MaxItems} array elements and objects, the limit of ocirun");
        _stopped = true;
        return false;
    }

    private bool Wrong(string message)
    {
        if (_json.TokenType != JsonTokenType.Null) WrongOrNull(message);
        return false;
    }

    private void WrongOrNull(string message)
    {
        Problem(message);
        _json.Skip();
    }

    private void Problem(string message)
    {
        if (_problems.IsFull)
        {
            _problems.Error(default);
            return;
        }
        int at = (int)_json.TokenStartIndex;
        _locator.MoveTo(at);
        _problems.Error(new SpecProblem(_locator.Pointer, Shown(at), message) { Line = _locator.Line, Column = _locator.Column });
    }

    private readonly string Shown(int at) => _json.TokenType switch
    {
        JsonTokenType.StartObject => "{...}",
        JsonTokenType.StartArray => "[...]",
        _ => Shorten(_text[at..(int)_json.BytesConsumed]),
    };

    private static string Shorten(ReadOnlySpan<byte> raw) =>
        VisibleText.Line(raw.Length <= MaxShownBytes ? Encoding.UTF8.GetString(raw)
        : Encoding.UTF8.GetString(raw[..MaxShownBytes]) + "...");
}
