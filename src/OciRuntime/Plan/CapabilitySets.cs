using System.Numerics;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// Capability sets as bit masks. What the kernel does not know, or the runtime does not have to give, is left out with a warning and never
/// fatal (runtime-spec config.md, "capabilities": the runtime MUST NOT fail).
/// </summary>
internal readonly struct CapabilitySets
{
    public ulong Bounding { get; init; }
    public ulong Effective { get; init; }
    public ulong Permitted { get; init; }
    public ulong Inheritable { get; init; }
    public ulong Ambient { get; init; }

    /// <param name="capabilities">What the configuration asks for; null for none.</param>
    /// <param name="isRoot">The program runs as uid 0, which is given all that is in the bounding set by execve: ambient ones make no
    /// difference. Buildah lists them although none is inheritable.</param>
    /// <param name="available">What the runtime has to give.</param>
    /// <param name="warnings">Takes what is left out.</param>
    public static CapabilitySets Build(ProcessCapabilities? capabilities, bool isRoot, ulong available, List<string> warnings)
    {
        if (capabilities is null) return default;
        LeftOut leftOut = new(available);
        ulong bounding = leftOut.Mask(capabilities.Bounding);
        ulong permitted = leftOut.Mask(capabilities.Permitted);
        // What is not in the bounding set cannot become inheritable, unless the caller has it so by chance (capset(2), cap_capset()).
        ulong inheritable = leftOut.Within(leftOut.Mask(capabilities.Inheritable), bounding, "inheritable, but not bounding");
        ulong effective = leftOut.Within(leftOut.Mask(capabilities.Effective), permitted, "effective, but not permitted");
        // The kernel raises an ambient capability only when it is permitted and inheritable (capabilities(7)).
        ulong ambient = leftOut.Mask(capabilities.Ambient), possible = permitted & inheritable;
        CapabilitySets sets = new()
        {
            Bounding = bounding,
            Permitted = permitted,
            Inheritable = inheritable,
            Effective = effective,
            Ambient = isRoot ? ambient & possible : leftOut.Within(ambient, possible, "ambient, but not permitted and inheritable"),
        };
        leftOut.Report(warnings);
        return sets;
    }

    /// <summary>Capabilities by name.</summary>
    public static string Names(ulong mask)
    {
        if (mask == 0) return "none";
        if (mask == (1UL << CapabilityNames.All.Length) - 1) return "all";
        List<string> names = [];
        for (int i = 0; i < 64; i++)
        {
            // A kernel may have more than this program has names for.
            if ((mask >> i & 1) != 0) names.Add(i < CapabilityNames.All.Length ? CapabilityNames.All[i] : $"capability {i}");
        }
        return string.Join(' ', names);
    }

    /// <summary>
    /// Names and why they are left out, for one warning: a runtime that lacks many would have one for each name in each of five sets.
    /// </summary>
    private sealed class LeftOut(ulong available)
    {
        private readonly List<string> _names = [];
        private bool _more;

        public ulong Mask(string[] names)
        {
            ulong mask = 0;
            foreach (string name in names)
            {
                int number = CapabilityNames.Number(name);
                if (number >= 0 && (available >> number & 1) != 0) mask |= 1UL << number;
                else Add(SpecText.Quote(name), number < 0 ? "not a known capability" : "not available to the runtime");
            }
            return mask;
        }

        public ulong Within(ulong mask, ulong of, string why)
        {
            for (ulong rest = mask & ~of; rest != 0; rest &= rest - 1)
                Add(SpecText.Quote(CapabilityNames.All[BitOperations.TrailingZeroCount(rest)]), why);
            return mask & of;
        }

        public void Report(List<string> warnings)
        {
            if (_names.Count > 0)
                warnings.Add($"/process/capabilities: left out: {string.Join(", ", _names)}{(_more ? " and others" : "")}");
        }

        private void Add(string name, string why)
        {
            string text = $"{name} ({why})";
            if (_names.Contains(text)) return;
            if (_names.Count < SpecProblems.MaxKept) _names.Add(text);
            else _more = true;
        }
    }
}
