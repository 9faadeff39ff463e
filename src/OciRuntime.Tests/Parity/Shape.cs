using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace OciRuntime.Tests.Parity;

/// <summary>What of an output is the same whenever it is printed by the same rules.</summary>
internal static partial class Shape
{
    /// <summary>The text itself.</summary>
    public static string Exact(string text) => text;

    /// <summary>The columns of a table, and what the cells below are.</summary>
    public static string Table(string text) =>
        string.Join('\n', text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static (line, index) =>
            string.Join(" | ", Gap().Split(line.Trim()).Select(cell => index == 0 ? cell : Kind(cell)))));

    /// <summary>The first line.</summary>
    public static string Header(string text) => Blanks().Replace(text.Split('\n')[0].Trim(), " ");

    /// <summary>How many lines.</summary>
    public static string Lines(string text) => $"{text.Count(static c => c == '\n')} lines";

    /// <summary>Each key with the kind of its value.</summary>
    public static string Json(string text) =>
        Document(text, static value => value.GetValueKind() is JsonValueKind.True or JsonValueKind.False ? "boolean"
        : value.GetValueKind().ToString());

    /// <summary>Each key with its value.</summary>
    public static string JsonValues(string text) => Document(text, static value => value.ToJsonString());

    private static string Document(string text, Func<JsonNode, string> leaf)
    {
        try
        {
            SortedSet<string> found = new(StringComparer.Ordinal);
            Walk(JsonNode.Parse(text), "", leaf, found);
            return string.Join('\n', found);
        }
        catch (JsonException)
        {
            return "not JSON";
        }
    }

    private static void Walk(JsonNode? node, string path, Func<JsonNode, string> leaf, SortedSet<string> found)
    {
        switch (node)
        {
            case JsonObject members:
                found.Add($"{path} object");
                foreach ((string name, JsonNode? value) in members) Walk(value, $"{path}.{name}", leaf, found);
                break;
            case JsonArray items:
                found.Add($"{path} array");
                foreach (JsonNode? item in items) Walk(item, $"{path}[]", leaf, found);
                break;
            default:
                found.Add($"{path} {(node is null ? "null" : leaf(node))}");
                break;
        }
    }

    private static string Kind(string cell) => Number().IsMatch(cell) ? "number" : Time().IsMatch(cell) ? "time" : "word";

    [GeneratedRegex("\\s{2,}|\\t")]
    private static partial Regex Gap();

    [GeneratedRegex("\\s+")]
    private static partial Regex Blanks();

    [GeneratedRegex("^\\d+$")]
    private static partial Regex Number();

    [GeneratedRegex("^\\d{4}-\\d\\d-\\d\\dT")]
    private static partial Regex Time();
}
