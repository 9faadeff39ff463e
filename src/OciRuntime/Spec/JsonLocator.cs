using System.Globalization;
using System.Text;
using System.Text.Json;

namespace OciRuntime.Spec;

/// <summary>
/// Finds the JSON pointer, line and column of a byte by reading the document a second time. Positions must be asked for in rising
/// order: it never goes back, so all problems of a document together cost one extra pass, and a document without problems nothing.
/// </summary>
internal ref struct JsonLocator
{
    private readonly ReadOnlySpan<byte> _text;
    private Utf8JsonReader _json;
    private List<Step>? _steps;
    private int _counted;
    private int _lineStart;

    public JsonLocator(ReadOnlySpan<byte> text) => _text = text;

    public int Line { get; private set; }

    public int Column { get; private set; }

    /// <summary>RFC 6901 pointer of the value at the position last moved to.</summary>
    public readonly string Pointer
    {
        get
        {
            StringBuilder pointer = new();
            foreach (Step step in _steps ?? [])
            {
                if (step.Name is { } name) pointer.Append('/').Append(JsonPointer.Escape(name));
                else if (step.Index >= 0) pointer.Append('/').Append(step.Index.ToString(CultureInfo.InvariantCulture));
            }
            return pointer.ToString();
        }
    }

    public void MoveTo(int offset)
    {
        if (_steps is null)
        {
            _steps = [];
            _json = new Utf8JsonReader(_text, new JsonReaderOptions { MaxDepth = SpecReader.MaxDepth });
        }
        while ((_json.TokenType == JsonTokenType.None || _json.TokenStartIndex < offset) && _json.Read()) Follow(_steps);
        MoveLineTo(offset);
    }

    /// <summary>Line and column only: works on text that does not parse.</summary>
    public void MoveLineTo(int offset)
    {
        ReadOnlySpan<byte> passed = _text[_counted..offset];
        Line += passed.Count((byte)'\n') + (Line == 0 ? 1 : 0);
        if (passed.LastIndexOf((byte)'\n') is var last and >= 0) _lineStart = _counted + last + 1;
        _counted = offset;
        Column = offset - _lineStart + 1;
    }

    private readonly void Follow(List<Step> steps)
    {
        JsonTokenType type = _json.TokenType;
        if (type is JsonTokenType.EndObject or JsonTokenType.EndArray)
        {
            steps.RemoveAt(steps.Count - 1);
            return;
        }
        if (type == JsonTokenType.PropertyName)
        {
            steps[^1] = new Step(Name(), -1, IsArray: false);
            return;
        }
        if (steps.Count > 0 && steps[^1] is { IsArray: true } array) steps[^1] = array with { Index = array.Index + 1 };
        if (type is JsonTokenType.StartObject or JsonTokenType.StartArray) steps.Add(new Step(null, -1, type == JsonTokenType.StartArray));
    }

    private readonly string Name()
    {
        try
        {
            return _json.GetString() ?? "";
        }
        catch (InvalidOperationException)
        {
            return "\ufffd";
        }
    }

    private readonly record struct Step(string? Name, int Index, bool IsArray);
}
