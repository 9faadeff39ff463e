using System.Text;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>Device rules in systemd's terms (systemd.resource-control(5), DeviceAllow=).</summary>
/// <remarks>
/// On v2 systemd attaches a program of its own, beside which ours decides, too: what it cannot express may be allowed there. On v1 it
/// writes the same files as we do, now and at every daemon-reload; nothing more than asked for may be in its list.
/// </remarks>
internal static class UnitDevices
{
    private const string Pointer = "/linux/resources/devices";

    /// <summary>
    /// The properties for a list of rules; none where everything is allowed by default, which systemd cannot except anything from.
    /// </summary>
    public static List<UnitProperty> Properties(DeviceFilter devices, bool unified)
    {
        byte[] known = devices.DefaultAllow ? [] : Files.ReadFileAt(Files.AT_FDCWD, "/proc/devices", 1 << 20, out _) ?? [];
        return Properties(devices, unified, Encoding.UTF8.GetString(known));
    }

    /// <summary>The properties that put a list of rules in the place of the one that the unit has.</summary>
    public static List<UnitProperty> Replacing(DeviceFilter devices, bool unified) =>
    [
        // An empty list clears; any other one is added to what is there.
        new("DevicePolicy", VariantValue.OfText("s", "auto"), Pointer),
        new("DeviceAllow", VariantValue.OfItems("a(ss)", []), Pointer),
        .. Properties(devices, unified),
    ];

    /// <summary>As <see cref="Properties(DeviceFilter, bool)"/>, with the text of /proc/devices.</summary>
    internal static List<UnitProperty> Properties(DeviceFilter devices, bool unified, string known)
    {
        if (devices.DefaultAllow) return [];
        List<VariantValue> allowed = [];
        foreach (DeviceFilterRule rule in unified ? devices.Rules : devices.Exceptions())
        {
            if (!rule.Allow || Node(rule, unified, known) is not { } node) continue;
            string text = rule.KernelText;
            allowed.Add(VariantValue.OfItems("(ss)",
                [VariantValue.OfText("s", node), VariantValue.OfText("s", text[(text.LastIndexOf(' ') + 1)..])]));
        }
        return
        [
            new("DevicePolicy", VariantValue.OfText("s", "strict"), Pointer),
            new("DeviceAllow", VariantValue.OfItems("a(ss)", allowed), Pointer),
        ];
    }

    private static string? Node(in DeviceFilterRule rule, bool unified, string known)
    {
        string kind = rule.Type == 'c' ? "char" : "block";
        if (rule.Major == DeviceFilterRule.Any) return rule.Minor == DeviceFilterRule.Any || unified ? kind + "-*" : null;
        if (rule.Minor != DeviceFilterRule.Any) return $"/dev/{kind}/{rule.Major}:{rule.Minor}";
        return $"{kind}-{DriverName(known, rule.Type, rule.Major) ?? rule.Major.ToString()}";
    }

    /// <summary>The driver of a major number, where it has no other: systemd takes numbers since version 240 only.</summary>
    private static string? DriverName(string known, char type, int major)
    {
        bool inSection = false;
        string? name = null;
        Dictionary<string, int> uses = [];
        foreach (string line in known.Split('\n'))
        {
            if (line.EndsWith(':')) inSection = line.StartsWith(type == 'c' ? "Character" : "Block", StringComparison.Ordinal);
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (!inSection || words.Length != 2 || !int.TryParse(words[0], out int number)) continue;
            uses[words[1]] = uses.GetValueOrDefault(words[1]) + 1;
            if (number == major) name = words[1];
        }
        return name is not null && uses[name] == 1 && name.AsSpan().IndexOfAny("*?[\\") < 0 ? name : null;
    }
}
