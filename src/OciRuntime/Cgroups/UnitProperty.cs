using OciRuntime.DBus;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>A property of a systemd unit (org.freedesktop.systemd1(5)).</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
/// <param name="Pointer">Where config.json asks for it, or "".</param>
/// <param name="Dispensable">
/// A systemd that does not know it, or not this value, can do without: the same is written to the cgroup's own files. So an older systemd
/// is found out by what it says, not by its version.
/// </param>
internal sealed record UnitProperty(string Name, VariantValue Value, string Pointer = "", bool Dispensable = false)
{
    public static UnitProperty Text(string name, string value) => new(name, VariantValue.OfText("s", value));

    public static UnitProperty Flag(string name, bool value, bool dispensable = false) =>
        new(name, VariantValue.OfNumber("b", value ? 1UL : 0), Dispensable: dispensable);

    /// <summary>In words, for `explain`.</summary>
    public string Describe() =>
        $"{Name} = {(Name == UnitLimits.CpuWeight && Value.Bits == UnitLimits.UnsetWeight ? "not set" : Words(Value))}";

    /// <summary>Marshals properties as a(sv).</summary>
    public static void Write(BusWriter w, IEnumerable<UnitProperty> properties)
    {
        (int, int) array = w.BeginArray(8);
        foreach (UnitProperty property in properties)
        {
            w.Structure();
            w.String(property.Name);
            w.Signature(property.Value.Signature);
            Write(w, property.Value);
        }
        w.EndArray(array);
    }

    private static string Words(VariantValue value) => value.Signature[0] switch
    {
        'a' => $"[{string.Join(", ", value.Items.Select(Words))}]",
        '(' => $"({string.Join(", ", value.Items.Select(Words))})",
        's' or 'o' or 'g' => $"'{value.Text}'",
        't' when value.Bits == ulong.MaxValue => "infinity",
        't' => value.Bits.ToString(),
        _ => value.Signature.Length == 1 && value.IsInteger ? value.Signed.ToString() : value.ToString(),
    };

    private static void Write(BusWriter w, VariantValue value)
    {
        switch (value.Signature[0])
        {
            case 'y': w.Byte((byte)value.Bits); break;
            case 'n' or 'q': w.UInt16((ushort)value.Bits); break;
            case 'b' or 'i' or 'u': w.UInt32((uint)value.Bits); break;
            case 'x' or 't' or 'd': w.UInt64(value.Bits); break;
            case 's' or 'o': w.String(value.Text!); break;
            case 'g': w.Signature(value.Text!); break;
            case 'a':
                (int, int) array = w.BeginArray(BusWriter.AlignmentOf(value.Signature[1]));
                foreach (VariantValue item in value.Items) Write(w, item);
                w.EndArray(array);
                break;
            default:
                w.Structure();
                foreach (VariantValue item in value.Items) Write(w, item);
                break;
        }
    }
}
