using System.Globalization;
using System.Text;

namespace OciRuntime.Spec;

/// <summary>What a text looks like before its type is known.</summary>
internal enum VariantKind
{
    Boolean,
    Number,
    Text,
    Bytes,
    Array,
    Structure,
}

/// <summary>A part of a GVariant text.</summary>
internal sealed class VariantNode(VariantKind kind)
{
    public VariantKind Kind { get; } = kind;

    /// <summary>The type that is written before it, or null.</summary>
    public string? Type { get; set; }

    public string Text { get; init; } = "";

    public List<VariantNode> Items { get; init; } = [];
}

/// <summary>
/// Gives GVariant text its types: those that are written, else the usual ones (numbers i or d, text s); elements of an array share one.
/// </summary>
internal static class VariantTyping
{
    private static readonly (string Word, string Type)[] Keywords =
    [
        ("boolean", "b"), ("byte", "y"), ("int16", "n"), ("uint16", "q"), ("int32", "i"), ("uint32", "u"), ("int64", "x"), ("uint64", "t"),
        ("double", "d"), ("string", "s"), ("objectpath", "o"), ("signature", "g"),
    ];

    // As D-Bus has it; and as deep as the reading of a type gets.
    private const int MaxSignature = 255;

    /// <summary>The type that a word stands for, or null.</summary>
    public static string? TypeOf(string word) => Array.Find(Keywords, k => k.Word == word).Type;

    public static VariantValue Resolve(VariantNode node)
    {
        string type = Infer([node]);
        CheckType(type);
        return Build(node, type);
    }

    /// <summary>Refuses what is not exactly one supported type.</summary>
    public static void CheckType(string type)
    {
        if (type.Length > MaxSignature)
            throw new FormatException($"has a type of more than the {MaxSignature} characters that D-Bus takes: {SpecText.Quote(type)}");
        if (EndOfType(type, 0) != type.Length)
        {
            throw new FormatException(
                $"has {SpecText.Quote(type)} for a type; supported are b y n q i u x t d s o g, arrays and structures of them");
        }
    }

    // -1 when there is no type at this place.
    private static int EndOfType(ReadOnlySpan<char> type, int at)
    {
        while (at < type.Length && type[at] == 'a') at++;
        if (at >= type.Length) return -1;
        if (type[at] != '(')
            return "bynqiuxtdsog".Contains(type[at]) ? at + 1 : -1;
        for (at++; at < type.Length && type[at] != ')';) if ((at = EndOfType(type, at)) < 0) return -1;
        return at < type.Length && type[at - 1] != '(' ? at + 1 : -1;
    }

    /// <summary>The type that all these have, as they are elements of one array or of corresponding ones.</summary>
    private static string Infer(List<VariantNode> nodes)
    {
        if (nodes.Find(static n => n.Type is not null) is { } typed) return typed.Type!;
        if (nodes.Count == 0) throw new FormatException("has an empty array without a type, such as @as []");
        if (!nodes.TrueForAll(n => n.Kind == nodes[0].Kind))
            throw new FormatException("has an array whose elements are of different types");
        return nodes[0].Kind switch
        {
            VariantKind.Boolean => "b",
            VariantKind.Number => nodes.Exists(static n => IsFloat(n.Text)) ? "d" : "i",
            VariantKind.Text => "s",
            VariantKind.Bytes => "ay",
            VariantKind.Array => "a" + Infer([.. nodes.SelectMany(static n => n.Items)]),
            _ => InferStructure(nodes),
        };
    }

    private static string InferStructure(List<VariantNode> nodes)
    {
        StringBuilder type = new("(");
        for (int i = 0; i < nodes[0].Items.Count; i++)
        {
            if (!nodes.TrueForAll(n => n.Items.Count == nodes[0].Items.Count))
                throw new FormatException("has an array whose elements are of different types");
            type.Append(Infer(nodes.ConvertAll(n => n.Items[i])));
        }
        return type.Length > 1 ? type.Append(')').ToString()
            : throw new FormatException("has a structure without members, which D-Bus does not know");
    }

    private static VariantValue Build(VariantNode node, string type)
    {
        if (node.Type is not null && node.Type != type) throw new FormatException($"has a value of type {node.Type} where {type} belongs");
        switch (node.Kind, type[0])
        {
            case (VariantKind.Boolean, 'b'): return VariantValue.OfNumber(type, node.Text == "true" ? 1UL : 0);
            case (VariantKind.Number, 'd'): return VariantValue.OfNumber(type, BitConverter.DoubleToUInt64Bits(Float(node.Text)));
            case (VariantKind.Number, 'y' or 'n' or 'q' or 'i' or 'u' or 'x' or 't'):
                return VariantValue.OfNumber(type, Integer(node.Text, type));
            case (VariantKind.Text, 's' or 'o' or 'g'): return VariantValue.OfText(type, CheckText(node.Text, type));
            // As with GVariant a NUL ends it.
            case (VariantKind.Bytes, 'a') when type == "ay":
                return VariantValue.OfItems(type,
                    [.. Encoding.Latin1.GetBytes(node.Text).Append((byte)0).Select(static b => VariantValue.OfNumber("y", b))]);
            case (VariantKind.Array, 'a'): return VariantValue.OfItems(type, node.Items.ConvertAll(item => Build(item, type[1..])));
            case (VariantKind.Structure, '('): return Structure(node, type);
            default: throw new FormatException($"has a {node.Kind.ToString().ToLowerInvariant()} where type {type} belongs");
        }
    }

    private static VariantValue Structure(VariantNode node, string type)
    {
        List<VariantValue> members = [];
        int at = 1;
        foreach (VariantNode item in node.Items)
        {
            int end = type[at] == ')' ? -1 : EndOfType(type, at);
            if (end < 0) throw new FormatException($"has more members than type {type}");
            members.Add(Build(item, type[at..end]));
            at = end;
        }
        return type[at] == ')' ? VariantValue.OfItems(type, members) : throw new FormatException($"has fewer members than type {type}");
    }

    private static string CheckText(string text, string type)
    {
        (bool good, string? what) = type switch
        {
            "o" => (IsObjectPath(text), "an object path that is none"),
            "g" => (IsSignature(text), "a signature that is none"),
            _ => (!text.Contains('\0'), "a text with a NUL"),
        };
        return good ? text : throw new FormatException($"has {what}");
    }

    private static bool IsObjectPath(string text) =>
        text == "/" || (text.StartsWith('/')
        && text[1..].Split('/').All(static part => part.Length > 0 && part.All(static c => char.IsAsciiLetterOrDigit(c) || c == '_')));

    private static bool IsSignature(string text)
    {
        if (text.Length > MaxSignature) return false;
        int at = 0;
        while (at >= 0 && at < text.Length) at = EndOfType(text, at);
        return at >= 0;
    }

    private static bool IsFloat(string text) => !text.Contains('x') && text.AsSpan().IndexOfAny(".eEn") >= 0;

    private static double Float(string text) =>
        text.TrimStart('+', '-') switch
        {
            "inf" => text[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity,
            "nan" => double.NaN,
            _ => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) ? value
                : throw new FormatException($"has a number that is none: {SpecText.Quote(text)}"),
        };

    /// <summary>Decimal, 0x hexadecimal or 0 octal, as in C; negative ones as two's complement.</summary>
    private static ulong Integer(string text, string type)
    {
        bool negative = text[0] == '-';
        ReadOnlySpan<char> digits = text.AsSpan(text[0] is '-' or '+' ? 1 : 0);
        int numberBase = digits.StartsWith("0x") ? 16 : digits.Length > 1 && digits[0] == '0' ? 8 : 10;
        Int128 value = 0;
        int start = numberBase == 16 ? 2 : 0;
        for (int i = start; i < digits.Length; i++)
        {
            int digit = char.IsAsciiHexDigit(digits[i]) ? Convert.ToInt32(digits[i].ToString(), 16) : numberBase;
            if (digit >= numberBase) throw new FormatException($"has an integer that is none: {SpecText.Quote(text)}");
            value = value > ulong.MaxValue ? value : value * numberBase + digit;
        }
        if (start == digits.Length) throw new FormatException($"has an integer that is none: {SpecText.Quote(text)}");
        value = negative ? -value : value;
        (Int128 min, Int128 max) = Range(type);
        return value >= min && value <= max ? (ulong)(value & ulong.MaxValue)
            : throw new FormatException($"has a number out of the range of type {type}: {SpecText.Quote(text)}");
    }

    private static (Int128 Min, Int128 Max) Range(string type) => type switch
    {
        "y" => (byte.MinValue, byte.MaxValue),
        "n" => (short.MinValue, short.MaxValue),
        "q" => (ushort.MinValue, ushort.MaxValue),
        "i" => (int.MinValue, int.MaxValue),
        "u" => (uint.MinValue, uint.MaxValue),
        "x" => (long.MinValue, long.MaxValue),
        _ => (ulong.MinValue, ulong.MaxValue),
    };
}
