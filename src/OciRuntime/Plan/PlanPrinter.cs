using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Prints an <see cref="Explanation"/>: as text for people, as JSON for programs (docs/explain.md).</summary>
internal static partial class PlanPrinter
{
    /// <summary>The birth of the container's process.</summary>
    public static RuntimeAction CloneWords(LaunchPlan plan) => FlagNames(plan.CloneFlags) is { Count: > 0 } flags
        ? new("clone3 with " + string.Join(", ", flags), "/linux/namespaces") : new("clone3 without new namespaces");

    /// <summary>CLONE_NEW… names of the flags of clone3, in the order of <see cref="NamespaceNames.All"/>.</summary>
    private static List<string> FlagNames(ulong flags) => NamespaceNames.Of(flags).ConvertAll(static name => name switch
    {
        "network" => "CLONE_NEWNET",
        "mount" => "CLONE_NEWNS",
        _ => "CLONE_NEW" + name.ToUpperInvariant(),
    });

    private static string? Chapter(StepChapter chapter) => chapter switch
    {
        StepChapter.Namespaces => "Cgroups and namespaces",
        StepChapter.FileSystems => "File systems",
        StepChapter.Devices => "Devices",
        StepChapter.Root => "The root file system",
        StepChapter.Kernel => "Kernel settings",
        StepChapter.Privileges => "Limits and privileges",
        StepChapter.Program => "The program",
        _ => null,
    };
}
