using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Cgroups;

/// <summary>The scope that systemd is going to be asked for.</summary>
/// <param name="Unit">Name and place.</param>
/// <param name="Properties">All but the process that it begins with.</param>
internal sealed record ScopePlan(SystemdUnit Unit, List<UnitProperty> Properties)
{
    // They decide whose process becomes the container's and where it is: not an annotation's to say.
    private static readonly string[] Reserved = ["PIDs", "Slice", "Delegate"];

    /// <exception cref="OciException">An annotation sets what is not its to set.</exception>
    public static ScopePlan Build(CgroupRequest request, IEnumerable<CgroupStep> steps, DeviceFilter devices, bool unified)
    {
        SystemdUnit unit = request.Unit!;
        List<UnitProperty> properties =
        [
            UnitProperty.Text("Description", "ocirun container " + request.Id),
            UnitProperty.Text("Slice", unit.Slice),
            // What is below the scope, and all files in it, are ours from now on.
            UnitProperty.Flag("Delegate", true),
            // At shutdown whoever started the container stops it; by default systemd would do so at the same time (runc).
            UnitProperty.Flag("DefaultDependencies", false),
            UnitProperty.Flag("MemoryAccounting", true, dispensable: true),
            UnitProperty.Flag("CPUAccounting", true, dispensable: true),
            UnitProperty.Flag(unified ? "IOAccounting" : "BlockIOAccounting", true, dispensable: true),
            UnitProperty.Flag("TasksAccounting", true, dispensable: true),
        ];
        foreach (SystemdProperty annotation in request.UnitAnnotations)
        {
            string pointer = Annotations.Pointer(Annotations.SystemdPropertyPrefix + annotation.Name);
            if (Array.IndexOf(Reserved, annotation.Name) >= 0)
                throw new OciException($"{pointer}: this property is for ocirun to set", Errno.EINVAL);
            properties.Add(new UnitProperty(annotation.Name, annotation.Value, pointer));
        }
        // Without these rights systemd, too, cannot enforce the rules.
        if (!unit.IsUser && !request.RuntimeInUserNamespace) properties.AddRange(UnitDevices.Properties(devices, unified));
        properties.AddRange(UnitLimits.Of(steps));
        return new ScopePlan(unit, properties);
    }

    /// <summary>With the process that the scope begins with: a scope without is none.</summary>
    public List<UnitProperty> With(int pid) =>
        [.. Properties, new UnitProperty("PIDs", VariantValue.OfItems("au", [VariantValue.OfNumber("u", (ulong)pid)]))];
}
