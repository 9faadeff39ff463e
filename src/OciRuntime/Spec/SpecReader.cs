using System.Text.Json;

namespace OciRuntime.Spec;

/// <summary>
/// config.json into the types of this folder. What reads an object is made of its class by OciRuntime.Generators, as one would write it by
/// hand: a serializer, even source-generated, spends 0.7 ms on building its metadata in a process whose whole life is about 5 ms.
/// </summary>
/// <remarks>
/// Unknown properties are ignored, null counts as absent, the last of repeated keys wins. All values of a wrong type are reported in one
/// go; a syntax error ends the reading. If there are errors afterwards, the returned object is incomplete and must not be used.
/// </remarks>
[ReaderOf(typeof(RuntimeSpec))]
public static partial class SpecReader
{
    /// <summary>Largest file that is read, in bytes.</summary>
    public const int MaxBytes = 16 * 1024 * 1024;

    /// <summary>Deepest nesting of arrays and objects.</summary>
    public const int MaxDepth = 64;

    /// <summary>Most array elements and objects of known properties, together.</summary>
    public const int MaxItems = 1 << 18;

    private delegate T ReadValue<T>(ref JsonCursor json);

    /// <summary>Reads a config.json.</summary>
    public static RuntimeSpec Parse(ReadOnlySpan<byte> utf8, SpecProblems problems) => Read(utf8, problems, ReadRuntimeSpec) ?? new();

    /// <summary>Reads a process.json, the file of <c>exec --process</c>; pointers start at its own root.</summary>
    public static Process ParseProcess(ReadOnlySpan<byte> utf8, SpecProblems problems) => Read(utf8, problems, ReadProcess) ?? new();

    /// <summary>Reads the resources of <c>update --resources</c>; pointers start at its own root.</summary>
    public static LinuxResources ParseResources(ReadOnlySpan<byte> utf8, SpecProblems problems) =>
        Read(utf8, problems, ReadLinuxResources) ?? new();

    /// <summary>Reads an array of mounts, the file of <c>mounts add</c>; pointers start at its own root.</summary>
    public static Mount[] ParseMounts(ReadOnlySpan<byte> utf8, SpecProblems problems) =>
        Read(utf8, problems, ReadMounts, JsonCursor.MustBeArray) ?? [];

    private static T? Read<T>(
        ReadOnlySpan<byte> utf8, SpecProblems problems, ReadValue<T?> readRoot, string wanted = JsonCursor.MustBeObject)
        where T : class
    {
        ArgumentNullException.ThrowIfNull(problems);
        if (utf8.Length > MaxBytes)
        {
            problems.Error("", null, $"is {utf8.Length} bytes long, more than the {MaxBytes} that ocirun reads");
            utf8 = "{}"u8;
        }
        if (utf8.StartsWith("\uFEFF"u8)) utf8 = utf8[3..];
        JsonCursor json = new(utf8, problems);
        T? root = null;
        try
        {
            json.Start(wanted);
            root = readRoot(ref json);
            json.Finish();
        }
        catch (JsonException e)
        {
            ReportSyntax(utf8, e, json.Depth, problems);
        }
        return root;
    }

    private static void ReportSyntax(ReadOnlySpan<byte> text, JsonException e, int depth, SpecProblems problems)
    {
        int at = OffsetOf(text, e.LineNumber ?? 0, e.BytePositionInLine ?? 0);
        JsonLocator locator = new(text);
        locator.MoveLineTo(at);
        byte next = at < text.Length ? text[at] : (byte)0;
        string message = depth >= MaxDepth && next is (byte)'{' or (byte)'[' ? $"is nested deeper than {MaxDepth} levels"
            : text.Trim(" \t\r\n"u8).IsEmpty ? "is empty"
            : text[at..].Trim(" \t\r\n"u8).IsEmpty ? "is not valid JSON: it ends in the middle"
            : next is > 0x20 and < 0x7f ? $"is not valid JSON: '{(char)next}' is not expected here"
            : $"is not valid JSON: byte 0x{next:x2} is not expected here";
        problems.Error(new SpecProblem("", null, message) { Line = locator.Line, Column = locator.Column });
    }

    private static int OffsetOf(ReadOnlySpan<byte> text, long line, long column)
    {
        int start = 0;
        for (; line > 0 && text[start..].IndexOf((byte)'\n') is var end and >= 0; line--) start += end + 1;
        return (int)Math.Min(text.Length, start + column);
    }

    private static T[] Array<T>(ref JsonCursor json, ReadValue<T> readElement)
    {
        if (!json.StartArray()) return [];
        T[] items = [];
        int count = 0;
        while (json.NextElement())
        {
            if (count == items.Length) System.Array.Resize(ref items, Math.Max(8, count * 2));
            items[count++] = readElement(ref json);
        }
        if (count < items.Length) System.Array.Resize(ref items, count);
        return items;
    }

    private static SpecMap<T> Map<T>(ref JsonCursor json, ReadValue<T> readValue, bool allowNul = false, bool nullIsAbsent = false)
        where T : class
    {
        SpecMap<T> map = SpecMap<T>.Empty;
        if (!json.StartObject()) return map;
        while (json.NextMember())
        {
            string key = json.Key(allowNul);
            if (nullIsAbsent && json.IsNull) continue;
            if (ReferenceEquals(map, SpecMap<T>.Empty)) map = new();
            map.Set(key, readValue(ref json));
        }
        return map;
    }

    private static Mount[] ReadMounts(ref JsonCursor json) => Array(ref json, ReadMountElement);

    private static string StringElement(ref JsonCursor json) => json.Element(allowNul: false);

    private static string TextElement(ref JsonCursor json) => json.Element(allowNul: true);

    private static uint UInt32Element(ref JsonCursor json) => json.UInt32Element();
}
