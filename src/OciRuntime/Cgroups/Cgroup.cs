namespace OciRuntime.Cgroups;

/// <summary>Makes cgroups and changes their settings.</summary>
internal static class Cgroup
{
    /// <summary>Makes the directories of a plan, applies its steps and opens what a child needs to enter.</summary>
    /// <exception cref="Linux.OciException">A step failed; everything this call created is gone again.</exception>
    public static CgroupEntry Create(CgroupPlan plan) => throw new NotSupportedException();

    /// <summary>Applies the steps of a plan to existing cgroups (`update`).</summary>
    /// <exception cref="Linux.OciException">A step failed; earlier ones are in force.</exception>
    public static void Apply(CgroupPlan plan) => throw new NotSupportedException();
}
