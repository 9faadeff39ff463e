using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Plan;

/// <summary>
/// Capability sets as bit masks. What the kernel does not know, or the runtime does not have to give, is left out with a warning and never
/// fatal (runtime-spec config.md, "capabilities": the runtime MUST NOT fail).
/// </summary>
internal readonly struct CapabilitySets
{
    public ulong Bounding { get; private init; }
    public ulong Effective { get; private init; }
    public ulong Permitted { get; private init; }
    public ulong Inheritable { get; private init; }
    public ulong Ambient { get; private init; }

    public static CapabilitySets Build(ProcessCapabilities? capabilities, ulong available, List<string> warnings)
    {
        if (capabilities == null) return default;
        ulong permitted = Mask(capabilities.Permitted, "permitted", available, warnings);
        ulong inheritable = Mask(capabilities.Inheritable, "inheritable", available, warnings);
        ulong effective = Subset(Mask(capabilities.Effective, "effective", available, warnings), permitted, "effective", "permitted", warnings);
        ulong ambient = Mask(capabilities.Ambient, "ambient", available, warnings);
        return new CapabilitySets
        {
            Bounding = Mask(capabilities.Bounding, "bounding", available, warnings),
            Permitted = permitted,
            Inheritable = inheritable,
            Effective = effective,
            // The kernel raises an ambient capability only when it is permitted and inheritable (capabilities(7)).
            Ambient = Subset(ambient, permitted & inheritable, "ambient", "permitted and inheritable", warnings),
        };
    }

    private static ulong Mask(string[] names, string set, ulong available, List<string> warnings)
    {
        ulong mask = 0;
        for (int i = 0; i < names.Length; i++)
        {
            int number = CapabilityNames.Number(names[i]);
            if (number >= 0 && (available >> number & 1) != 0) mask |= 1UL << number;
            else if (warnings.Count < SpecProblems.MaxKept) warnings.Add($"/process/capabilities/{set}/{i}: {SpecText.Quote(names[i])} is {(number < 0 ? "not a known capability" : "not available to the runtime")} and left out");
        }
        return mask;
    }

    private static ulong Subset(ulong mask, ulong of, string set, string other, List<string> warnings)
    {
        if ((mask & ~of) != 0) warnings.Add($"/process/capabilities/{set}: capabilities that are not {other} are left out");
        return mask & of;
    }
}
