using System.Text;
using System.Text.Json;
using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>A member of an object, by the places in the text where its name and its value are.</summary>
internal sealed record JsonMember(string Name, int NameStart, int ValueStart, int ValueEnd, JsonTokenType Type);

/// <summary>
/// Changes a JSON document as an editor would: by places in the text. All that is not changed stays as it was, to the last space, which a
/// document that is parsed and written again does not.
/// </summary>
internal static class JsonText
{
    /// <summary>
    /// The members of the object that begins at <paramref name="start"/>. Throws unless the text is one complete document.
    /// </summary>
    public static List<JsonMember> Members(string text, int start)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        int origin = Encoding.UTF8.GetByteCount(text.AsSpan(0, start));
        try
        {
            // The whole document is read, whichever object of it is wanted: half of one is nothing to build upon.
            Utf8JsonReader reader = new(utf8);
            List<JsonMember> members = [];
            HashSet<string> names = [];
            int depth = -1;
            while (reader.Read())
            {
                if (reader.TokenStartIndex == origin && reader.TokenType == JsonTokenType.StartObject)
                {
                    depth = reader.CurrentDepth;
                }
                else if (depth >= 0 && reader.CurrentDepth == depth && reader.TokenType == JsonTokenType.EndObject)
                {
                    depth = int.MaxValue;
                }
                else if (depth >= 0 && reader.CurrentDepth == depth + 1 && reader.TokenType == JsonTokenType.PropertyName)
                {
                    members.Add(ReadMember(ref reader, utf8));
                    if (!names.Add(members[^1].Name)) throw new OciException($"names \"{members[^1].Name}\" twice");
                }
            }
            if (depth < 0) throw new OciException("is not a JSON object");
            return members;
        }
        catch (JsonException e)
        {
            throw new OciException($"is not JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}");
        }
    }

    /// <summary>
    /// The text with a member of the object at <paramref name="start"/> set to <paramref name="value"/>: in its place, or as the last one,
    /// indented like the one before.
    /// </summary>
    public static string Put(string text, int start, string name, string value)
    {
        List<JsonMember> members = Members(text, start);
        if (members.Find(m => m.Name == name) is { } old) return text[..old.ValueStart] + value + text[old.ValueEnd..];
        string added = $"{String(name)}: {value}";
        if (members.Count == 0) return $"{text[..(start + 1)]}\n  {added}\n{text[text.IndexOf('}', start)..]}";
        JsonMember last = members[^1];
        int before = members.Count == 1 ? start + 1 : members[^2].ValueEnd + 1;
        string space = text[before..last.NameStart];
        return $"{text[..last.ValueEnd]},{(string.IsNullOrWhiteSpace(space) ? space : " ")}{added}{text[last.ValueEnd..]}";
    }

    /// <summary>
    /// The text without a member of the object at <paramref name="start"/>, and without the comma that this makes superfluous.
    /// </summary>
    public static string Drop(string text, int start, string name)
    {
        List<JsonMember> members = Members(text, start);
        int i = members.FindIndex(m => m.Name == name);
        if (i < 0) return text;
        if (i > 0) return text[..members[i - 1].ValueEnd] + text[members[i].ValueEnd..];
        if (members.Count > 1) return text[..members[0].NameStart] + text[members[1].NameStart..];
        return text[..(start + 1)] + text[text.IndexOf('}', members[0].ValueEnd)..];
    }

    /// <summary>A JSON string. Control characters do not occur: they are refused before.</summary>
    public static string String(string text) => Toml.String(text);

    private static JsonMember ReadMember(ref Utf8JsonReader reader, byte[] utf8)
    {
        string name = reader.GetString()!;
        int nameStart = Place(utf8, reader.TokenStartIndex);
        reader.Read();
        int valueStart = Place(utf8, reader.TokenStartIndex);
        JsonTokenType type = reader.TokenType;
        reader.Skip();
        return new(name, nameStart, valueStart, Place(utf8, reader.BytesConsumed), type);
    }

    private static int Place(byte[] utf8, long bytes) => Encoding.UTF8.GetCharCount(utf8.AsSpan(0, (int)bytes));
}
