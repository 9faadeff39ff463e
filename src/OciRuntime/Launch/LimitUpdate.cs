using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Changes a container's limits, all of them or none.</summary>
internal static class LimitUpdate
{
    /// <summary>What is to be written where.</summary>
    /// <param name="paths">The container's cgroups.</param>
    /// <param name="resources">The new limits; what they need besides is added to them.</param>
    /// <param name="systemd">The limits are systemd's to write, too.</param>
    /// <param name="warnings">What is accepted and still worth a line.</param>
    /// <exception cref="OciException">They are refused.</exception>
    public static CgroupPlan Plan(IReadOnlyList<string> paths, LinuxResources resources, bool systemd, out List<string> warnings)
    {
        CgroupHost host = CgroupHost.Probe();
        CurrentLimits.Complete(host, paths, resources);
        SpecProblems problems = new();
        SpecValidator.ValidateResources(resources, problems);
        if (problems.HasErrors) throw new OciException(problems.ToString(), Errno.EINVAL);
        CgroupPlan plan = CgroupPlan.BuildUpdate(host, paths, resources, systemd, UserNamespace.IsNested());
        warnings = [.. plan.Warnings];
        foreach (SpecProblem warning in problems.Warnings) warnings.Add(warning.ToString());
        return plan;
    }

    /// <summary>The limits are in the kernel and nowhere else, so to take a change back is to write there what was there before.</summary>
    /// <param name="plan">See <see cref="Plan"/>.</param>
    /// <param name="state">The container's journal.</param>
    /// <param name="last">What else belongs to the change.</param>
    public static void Apply(CgroupPlan plan, ContainerState state, Action last)
    {
        CgroupUndo undo = CgroupUndo.Take(plan);
        try
        {
            if (state.SystemdUnit is not null)
            {
                Cgroup.CheckBefore(plan);
                ScopeUpdate.Apply(state.SystemdUnit, state.SystemdUser, plan, UnitLimits.Of(plan.Steps));
            }
            Cgroup.Apply(plan);
            // After ours, which take systemd's program away with the old one; it comes back with the new rules.
            if (state is { SystemdUnit: { } unit, SystemdUser: false } && plan.Devices is not null)
                ScopeUpdate.Apply(unit, isUser: false, plan, UnitDevices.Replacing(plan.Devices, plan.IsUnified));
            last();
        }
        catch (OciException e)
        {
            if (state.SystemdUnit is not null) ScopeUpdate.TakeBack(state.SystemdUnit, state.SystemdUser, plan, UnitLimits.Of(undo.Steps));
            List<string> left = undo.Restore();
            if (left.Count == 0) throw;
            throw new OciException($"{e.Message}; and the old limits could not all be restored: {string.Join(", ", left)}", e.Errno);
        }
    }
}
