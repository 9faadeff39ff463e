using System.Text.Json.Nodes;
using OciRuntime.Tests.Spec;

namespace OciRuntime.Tests.Fuzz;

/// <summary>What mutation starts from: the fixtures, and every property name, value and sub-tree that occurs in them.</summary>
internal sealed class Corpus
{
    /// <summary>Valid ones several times, as they lead further.</summary>
    public List<JsonNode> Documents { get; } = [];

    /// <summary>Values by the name of their property, so that a replacement is at home where it is put.</summary>
    public Dictionary<string, List<JsonNode?>> ByName { get; } = new(StringComparer.Ordinal);

    /// <summary>Names by the name of the property that holds the object.</summary>
    public Dictionary<string, SortedSet<string>> Members { get; } = new(StringComparer.Ordinal);

    /// <summary>All of spec-fixtures/ that is a config.json, valid or not.</summary>
    public static Corpus Configurations() => new(Directory.EnumerateFiles(SpecFixtures.PathOf("."), "*.json", SearchOption.AllDirectories)
        .Where(static file => !file.Contains("/fuzz/", StringComparison.Ordinal)).Order(StringComparer.Ordinal).SelectMany(static file =>
            Enumerable.Repeat(File.ReadAllBytes(file), file.Contains("/invalid/", StringComparison.Ordinal) ? 1 : 20)));

    public Corpus(IEnumerable<byte[]> documents)
    {
        foreach (JsonNode document in documents.Select(static text => TryParse(text)).OfType<JsonNode>())
        {
            Documents.Add(document);
            Collect("", document);
        }
    }

    /// <summary>The document, or null where it is no JSON.</summary>
    public static JsonNode? TryParse(ReadOnlySpan<byte> text)
    {
        try
        {
            JsonNode? node = JsonNode.Parse(text);
            Touch(node);
            return node;
        }
        catch (Exception e) when (e is System.Text.Json.JsonException or ArgumentException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>Repeated keys and broken escapes are only noticed when they are used.</summary>
    private static void Touch(JsonNode? node)
    {
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array) Touch(item);
        }
        else if (node is JsonObject members)
        {
            foreach ((_, JsonNode? value) in members) Touch(value);
        }
        else
        {
            (node as JsonValue)?.TryGetValue(out string? _);
        }
    }

    private void Collect(string name, JsonNode? node)
    {
        if (!ByName.TryGetValue(name, out List<JsonNode?>? values)) ByName[name] = values = [];
        values.Add(node);
        if (node is JsonArray array)
        {
            foreach (JsonNode? item in array) Collect(name + "[]", item);
        }
        else if (node is JsonObject members)
        {
            if (!Members.TryGetValue(name, out SortedSet<string>? names)) Members[name] = names = new(StringComparer.Ordinal);
            foreach ((string member, JsonNode? value) in members)
            {
                names.Add(member);
                Collect(member, value);
            }
        }
    }
}
