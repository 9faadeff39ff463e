using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <content>Folding for cgroup v1, which knows only a default and a list of exceptions to it, all with the opposite verdict.</content>
internal sealed partial class DeviceFilter
{
    /// <summary>
    /// Exceptions to <see cref="DefaultAllow"/> in no particular order, one per device number, as security/device_cgroup.c keeps them.
    /// </summary>
    /// <exception cref="OciException">A rule takes back part of what a rule with wildcards said; the kernel would ignore it without a
    /// word.</exception>
    public List<DeviceFilterRule> Exceptions()
    {
        List<DeviceFilterRule> exceptions = new(_rules.Count);
        foreach (DeviceFilterRule rule in _rules)
        {
            if (rule.Allow != DefaultAllow) Add(exceptions, rule);
            else Subtract(exceptions, rule);
        }
        return exceptions;
    }

    private static void Add(List<DeviceFilterRule> exceptions, in DeviceFilterRule rule)
    {
        for (int i = 0; i < exceptions.Count; i++)
        {
            if (!SameDevice(exceptions[i], rule)) continue;
            exceptions[i] = exceptions[i] with { Access = exceptions[i].Access | rule.Access };
            return;
        }
        exceptions.Add(rule);
    }

    private static void Subtract(List<DeviceFilterRule> exceptions, in DeviceFilterRule rule)
    {
        for (int i = exceptions.Count - 1; i >= 0; i--)
        {
            DeviceFilterRule old = exceptions[i];
            if ((old.Access & rule.Access) == 0 || !Overlaps(old, rule)) continue;
            if (!Covers(rule, old))
            {
                string place = rule.Pointer.Length == 0 ? old.Pointer : rule.Pointer;
                throw new OciException(
                    $"{place}: device rule [{rule.KernelText}] cannot be expressed on cgroup v1 (it cannot punch a hole in the wildcard "
                    + $"rule [{old.KernelText}])",
                    Errno.EINVAL);
            }
            DeviceAccess left = old.Access & ~rule.Access;
            if (left == 0) exceptions.RemoveAt(i);
            else exceptions[i] = old with { Access = left };
        }
    }

    internal static bool SameDevice(in DeviceFilterRule a, in DeviceFilterRule b) =>
        a.Type == b.Type && a.Major == b.Major && a.Minor == b.Minor;

    private static bool Overlaps(in DeviceFilterRule a, in DeviceFilterRule b) =>
        a.Type == b.Type
        && (a.Major == b.Major || a.Major == DeviceFilterRule.Any || b.Major == DeviceFilterRule.Any)
        && (a.Minor == b.Minor || a.Minor == DeviceFilterRule.Any || b.Minor == DeviceFilterRule.Any);

    private static bool Covers(in DeviceFilterRule outer, in DeviceFilterRule inner) =>
        (outer.Major == DeviceFilterRule.Any || outer.Major == inner.Major)
        && (outer.Minor == DeviceFilterRule.Any || outer.Minor == inner.Minor);
}
