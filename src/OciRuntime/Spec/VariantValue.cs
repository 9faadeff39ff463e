namespace OciRuntime.Spec;

/// <summary>A D-Bus value with its type.</summary>
public sealed class VariantValue
{
    private const string IntegerTypes = "ynqiuxt";

    private VariantValue(string signature, ulong bits, string? text, IReadOnlyList<VariantValue> items)
    {
        Signature = signature;
        Bits = bits;
        Text = text;
        Items = items;
    }

    /// <summary>D-Bus type: b boolean, y n q i u x t integers, d double, s o g text, a… array, (…) structure.</summary>
    public string Signature { get; }

    /// <summary>The value of b (0 or 1) and of integers, negative ones as two's complement of 64 bits; the IEEE bits of d.</summary>
    public ulong Bits { get; }

    /// <summary>The value of s, o and g.</summary>
    public string? Text { get; }

    /// <summary>Elements of an array, members of a structure.</summary>
    public IReadOnlyList<VariantValue> Items { get; }

    /// <summary>Bits as a signed number.</summary>
    public long Signed => unchecked((long)Bits);

    /// <summary>The value of d.</summary>
    public double Float => BitConverter.UInt64BitsToDouble(Bits);

    internal bool IsInteger => Signature.Length == 1 && IntegerTypes.Contains(Signature[0]);

    internal bool IsSigned => Signature is "n" or "i" or "x";

    internal static VariantValue OfNumber(string signature, ulong bits) => new(signature, bits, null, []);

    internal static VariantValue OfText(string signature, string text) => new(signature, 0, text, []);

    internal static VariantValue OfItems(string signature, IReadOnlyList<VariantValue> items) => new(signature, 0, null, items);

    /// <summary>GVariant text with every type spelled out.</summary>
    public override string ToString() => Signature[0] switch
    {
        'b' => Bits != 0 ? "true" : "false",
        'a' => $"@{Signature} [{string.Join(", ", Items)}]",
        '(' => $"({string.Join(", ", Items)}{(Items.Count == 1 ? "," : "")})",
        'd' => FormattableString.Invariant($"double {Float:R}"),
        's' or 'o' or 'g' => $"@{Signature} '{Text!.Replace("\\", "\\\\").Replace("'", "\\'")}'",
        _ => IsSigned ? FormattableString.Invariant($"@{Signature} {Signed}") : FormattableString.Invariant($"@{Signature} {Bits}"),
    };
}
