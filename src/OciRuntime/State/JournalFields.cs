using System.Text.Json;

namespace OciRuntime.State;

/// <summary>Names the fields of something, and so reads or writes them.</summary>
internal delegate void FieldsOf<T>(ref JournalFields fields, ref T value);

/// <summary>
/// The fields of a journal, each named once: whoever names one gets what was read for it, or writes it. A field that is not there keeps its
/// value; those that nobody names are passed over. By hand over Utf8JsonReader: JsonSerializer costs 0.7 ms the first time it is used, more
/// than all the rest of `ocirun state`.
/// </summary>
/// <remarks>What is read throws JsonException, InvalidOperationException or FormatException where it is not what it should be.</remarks>
internal ref struct JournalFields
{
    private readonly Utf8JsonWriter? _writer;
    private Utf8JsonReader _reader;
    private bool _taken;

    public JournalFields(Utf8JsonWriter writer) => _writer = writer;

    public JournalFields(ReadOnlySpan<byte> json)
    {
        _reader = new Utf8JsonReader(json);
        _reader.Read();
    }

    public string Text(ReadOnlySpan<byte> name, string value)
    {
        _writer?.WriteString(name, value);
        return Takes(name) ? _reader.GetString() ?? "" : value;
    }

    public string? OptionalText(ReadOnlySpan<byte> name, string? value)
    {
        if (value is not null) _writer?.WriteString(name, value);
        return Takes(name) ? _reader.GetString() : value;
    }

    public int Number(ReadOnlySpan<byte> name, int value)
    {
        _writer?.WriteNumber(name, value);
        return Takes(name) ? _reader.GetInt32() : value;
    }

    public int? OptionalNumber(ReadOnlySpan<byte> name, int? value)
    {
        if (value is { } number) _writer?.WriteNumber(name, number);
        return Takes(name) ? _reader.GetInt32() : value;
    }

    public uint Number(ReadOnlySpan<byte> name, uint value)
    {
        _writer?.WriteNumber(name, value);
        return Takes(name) ? _reader.GetUInt32() : value;
    }

    public ulong Number(ReadOnlySpan<byte> name, ulong value)
    {
        _writer?.WriteNumber(name, value);
        return Takes(name) ? _reader.GetUInt64() : value;
    }

    public bool Flag(ReadOnlySpan<byte> name, bool value)
    {
        _writer?.WriteBoolean(name, value);
        return Takes(name) ? _reader.GetBoolean() : value;
    }

    /// <summary>Not written when there are none.</summary>
    public string[] Texts(ReadOnlySpan<byte> name, string[] value) =>
        OptionalTexts(name, _writer is not null && value.Length == 0 ? null : value) ?? [];

    public string[]? OptionalTexts(ReadOnlySpan<byte> name, string[]? value)
    {
        if (_writer is not null && value is not null)
        {
            _writer.WriteStartArray(name);
            foreach (string item in value) _writer.WriteStringValue(item);
            _writer.WriteEndArray();
        }
        return Takes(name) ? Items(static (ref Utf8JsonReader r) => r.GetString() ?? "") : value;
    }

    public ulong[]? OptionalNumbers(ReadOnlySpan<byte> name, ulong[]? value)
    {
        if (_writer is not null && value is not null)
        {
            _writer.WriteStartArray(name);
            foreach (ulong item in value) _writer.WriteNumberValue(item);
            _writer.WriteEndArray();
        }
        return Takes(name) ? Items(static (ref Utf8JsonReader r) => r.GetUInt64()) : value;
    }

    /// <summary>An object whose keys are anybody's; not written when it is empty.</summary>
    public void Map(ReadOnlySpan<byte> name, SortedDictionary<string, string> map)
    {
        if (_writer is not null && map.Count > 0)
        {
            _writer.WriteStartObject(name);
            foreach (KeyValuePair<string, string> entry in map) _writer.WriteString(entry.Key, entry.Value);
            _writer.WriteEndObject();
        }
        if (!Takes(name)) return;
        Expect(JsonTokenType.StartObject);
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            string key = _reader.GetString()!;
            _reader.Read();
            map[key] = _reader.GetString() ?? "";
        }
    }

    /// <summary>Objects in a list; not written when there are none.</summary>
    public T[] Objects<T>(ReadOnlySpan<byte> name, T[] value, FieldsOf<T> fields) where T : new()
    {
        if (_writer is not null && value.Length > 0)
        {
            _writer.WriteStartArray(name);
            foreach (T item in value)
            {
                _writer.WriteStartObject();
                Object(item, fields);
            }
            _writer.WriteEndArray();
        }
        if (!Takes(name)) return value;
        Expect(JsonTokenType.StartArray);
        List<T> items = [];
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray) items.Add(Object(new T(), fields));
        return [.. items];
    }

    /// <summary>Whether there is an object of that name; if so, <see cref="Object"/> comes next.</summary>
    public bool Begins(ReadOnlySpan<byte> name, bool isThere)
    {
        if (_writer is null) return Takes(name);
        if (isThere) _writer.WriteStartObject(name);
        return isThere;
    }

    /// <summary>An object that has begun, to its end.</summary>
    public T Object<T>(T value, FieldsOf<T> fields)
    {
        if (_writer is { } w)
        {
            fields(ref this, ref value);
            w.WriteEndObject();
            return value;
        }
        Expect(JsonTokenType.StartObject);
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndObject)
        {
            _taken = false;
            fields(ref this, ref value);
            if (!_taken) _reader.Skip();
        }
        _taken = true;
        return value;
    }

    /// <summary>Whether a name has been read that is this one; then its value is next.</summary>
    private bool Takes(ReadOnlySpan<byte> name)
    {
        if (_writer is not null || _taken || !_reader.ValueTextEquals(name)) return false;
        _reader.Read();
        return _taken = true;
    }

    private delegate T ItemReader<T>(ref Utf8JsonReader reader);

    private T[] Items<T>(ItemReader<T> read)
    {
        Expect(JsonTokenType.StartArray);
        List<T> items = [];
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray) items.Add(read(ref _reader));
        return [.. items];
    }

    private readonly void Expect(JsonTokenType expected)
    {
        if (_reader.TokenType != expected) throw new JsonException($"expected {expected}, found {_reader.TokenType}");
    }
}
