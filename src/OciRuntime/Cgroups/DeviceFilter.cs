using System.Diagnostics;
using System.Runtime.InteropServices;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>Kinds of access to a device, with the kernel's bits (BPF_DEVCG_ACC_*, include/uapi/linux/bpf.h).</summary>
[Flags]
internal enum DeviceAccess : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>mknod.</summary>
    Make = 1,

    /// <summary>Open for reading.</summary>
    Read = 2,

    /// <summary>Open for writing.</summary>
    Write = 4,

    /// <summary>All three.</summary>
    All = 7,
}

/// <summary>One rule on character or block devices.</summary>
/// <param name="Allow">Allow or deny.</param>
/// <param name="Type">'c' or 'b'.</param>
/// <param name="Major">Major number, -1 for any.</param>
/// <param name="Minor">Minor number, -1 for any.</param>
/// <param name="Access">What it speaks of; other kinds of access are decided by other rules.</param>
/// <param name="Pointer">Where config.json has it, or "" for a default.</param>
internal readonly record struct DeviceFilterRule(bool Allow, char Type, int Major, int Minor, DeviceAccess Access, string Pointer = "")
{
    /// <summary>Any device number of its type.</summary>
    public const int Any = -1;

    /// <summary>The rule as devices.allow and devices.deny take it: "c 1:3 rwm".</summary>
    public string KernelText
    {
        get
        {
            Span<char> access = stackalloc char[3];
            int n = 0;
            if ((Access & DeviceAccess.Read) != 0) access[n++] = 'r';
            if ((Access & DeviceAccess.Write) != 0) access[n++] = 'w';
            if ((Access & DeviceAccess.Make) != 0) access[n++] = 'm';
            return string.Concat(Type == 'c' ? "c " : "b ", Number(Major) + ":" + Number(Minor), " ", access[..n]);
        }
    }

    private static string Number(int value) => value == Any ? "*" : value.ToString();
}

/// <summary>The device rules of a container, defaults included: what no rule speaks of is decided by <see cref="DefaultAllow"/>.</summary>
/// <remarks>
/// Without any rule everything but the defaults is denied: a list taken as a list of denials left containers with every device of
/// the host (GHSA-g54h-m393-cpwq). Each kind of access to a device is decided by the last rule that names both.
/// </remarks>
internal sealed partial class DeviceFilter
{
    // What every container may use whatever its rules say, as runc's AllowedDevices: nodes of any kind may be made (using them is
    // another matter), then null, full, zero, tty, random, urandom, pseudo terminals, ptmx and tun.
    private static ReadOnlySpan<DeviceFilterRule> Defaults => (DeviceFilterRule[])
    [
        new(true, 'c', DeviceFilterRule.Any, DeviceFilterRule.Any, DeviceAccess.Make),
        new(true, 'b', DeviceFilterRule.Any, DeviceFilterRule.Any, DeviceAccess.Make),
        new(true, 'c', 1, 3, DeviceAccess.All),
        new(true, 'c', 1, 8, DeviceAccess.All),
        new(true, 'c', 1, 7, DeviceAccess.All),
        new(true, 'c', 5, 0, DeviceAccess.All),
        new(true, 'c', 1, 5, DeviceAccess.All),
        new(true, 'c', 1, 9, DeviceAccess.All),
        new(true, 'c', 136, DeviceFilterRule.Any, DeviceAccess.All),
        new(true, 'c', 5, 2, DeviceAccess.All),
        new(true, 'c', 10, 200, DeviceAccess.All),
    ];

    private readonly List<DeviceFilterRule> _rules;

    private DeviceFilter(bool defaultAllow, List<DeviceFilterRule> rules)
    {
        DefaultAllow = defaultAllow;
        _rules = rules;
    }

    /// <summary>The verdict on what no rule names.</summary>
    public bool DefaultAllow { get; }

    /// <summary>The rules in order; a later one overrides an earlier one.</summary>
    public IReadOnlyList<DeviceFilterRule> Rules => _rules;

    /// <summary>The same, for each launch: without an interface, whose first call is a slow one (docs/performance.md).</summary>
    public ReadOnlySpan<DeviceFilterRule> Span => CollectionsMarshal.AsSpan(_rules);

    /// <summary>Whether nothing is ever denied, so that no program is needed.</summary>
    public bool AllowsEverything => DefaultAllow && _rules.TrueForAll(static rule => rule.Allow);

    /// <summary>Whether a character device may be opened in some way.</summary>
    public bool LetsOpen(int major, int minor)
    {
        DeviceAccess allowed = DefaultAllow ? DeviceAccess.All : DeviceAccess.None;
        DeviceFilterRule device = new(true, 'c', major, minor, DeviceAccess.All);
        foreach (DeviceFilterRule rule in _rules)
        {
            if (!Covers(rule, device) || rule.Type != 'c') continue;
            allowed = rule.Allow ? allowed | rule.Access : allowed & ~rule.Access;
        }
        return (allowed & (DeviceAccess.Read | DeviceAccess.Write)) != 0;
    }

    /// <summary>Takes linux.resources.devices and appends the defaults, which therefore cannot be denied.</summary>
    public static DeviceFilter Build(DeviceRule[]? rules)
    {
        ReadOnlySpan<DeviceFilterRule> defaults = Defaults;
        List<DeviceFilterRule> list = new((rules?.Length ?? 0) + defaults.Length);
        bool defaultAllow = false;
        for (int i = 0; i < (rules?.Length ?? 0); i++)
        {
            DeviceRule rule = rules![i];
            DeviceFilterRule one = new(rule.Allow, 'c', (int)(rule.Major ?? DeviceFilterRule.Any),
                (int)(rule.Minor ?? DeviceFilterRule.Any), ParseAccess(rule.Access), "/linux/resources/devices/" + i);
            switch (rule.Type)
            {
                case "c" or "b": list.Add(one with { Type = rule.Type[0] }); break;
                // A verdict on everything: whatever was said before no longer matters.
                case null or "" or "a" when one is { Major: DeviceFilterRule.Any, Minor: DeviceFilterRule.Any, Access: DeviceAccess.All }:
                    list.Clear();
                    defaultAllow = rule.Allow;
                    break;
                case null or "" or "a": list.AddRange([one, one with { Type = 'b' }]); break;
                default: throw new UnreachableException();
            }
        }
        list.AddRange(defaults);
        return new DeviceFilter(defaultAllow, list);
    }

    /// <summary>Rules in order, a later one overriding an earlier one, in the kernel's words: "allow c 1:3 rwm".</summary>
    public string[] Describe()
    {
        string[] lines = new string[_rules.Count + 1];
        lines[0] = DefaultAllow ? "allow a *:* rwm" : "deny a *:* rwm";
        for (int i = 0; i < _rules.Count; i++) lines[i + 1] = (_rules[i].Allow ? "allow " : "deny ") + _rules[i].KernelText;
        return lines;
    }

    /// <summary>Letters of rwm as a rule of config.json or of devices.list has them; none means all.</summary>
    internal static DeviceAccess ParseAccess(string? letters)
    {
        DeviceAccess access = DeviceAccess.None;
        foreach (char letter in letters ?? "")
        {
            access |= letter switch
            {
                'r' => DeviceAccess.Read,
                'w' => DeviceAccess.Write,
                'm' => DeviceAccess.Make,
                _ => throw new UnreachableException(),
            };
        }
        return access == DeviceAccess.None ? DeviceAccess.All : access;
    }
}
