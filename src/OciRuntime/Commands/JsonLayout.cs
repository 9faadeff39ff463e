using System.Buffers;
using System.Text;
using System.Text.Json;

namespace OciRuntime.Commands;

/// <summary>Documents that stand in the source as they are, and are printed as others print theirs.</summary>
internal static class JsonLayout
{
    /// <summary>The same document, with an item a line.</summary>
    public static ReadOnlySpan<byte> Lay(string json, JsonWriterOptions options)
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using Utf8JsonWriter w = new(buffer, options with { Indented = true });
        Utf8JsonReader r = new(Encoding.UTF8.GetBytes(json));
        while (r.Read())
        {
            switch (r.TokenType)
            {
                case JsonTokenType.StartObject: w.WriteStartObject(); break;
                case JsonTokenType.EndObject: w.WriteEndObject(); break;
                case JsonTokenType.StartArray: w.WriteStartArray(); break;
                case JsonTokenType.EndArray: w.WriteEndArray(); break;
                case JsonTokenType.PropertyName: w.WritePropertyName(r.ValueSpan); break;
                case JsonTokenType.String: w.WriteStringValue(r.ValueSpan); break;
                default: w.WriteRawValue(r.ValueSpan); break;
            }
        }
        w.Flush();
        return buffer.WrittenSpan;
    }
}
