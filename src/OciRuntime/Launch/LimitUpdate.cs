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
    /// <param name="entry">The container.</param>
    /// <param name="state">Its journal.</param>
    /// <param name="paths">Its cgroups.</param>
    /// <param name="resources">The new limits; what they need besides is added to them.</param>
    /// <param name="warnings">What is accepted and still worth a line.</param>
    /// <exception cref="OciException">They are refused.</exception>
    public static CgroupPlan Plan(ContainerEntry entry, ContainerState state, IReadOnlyList<string> paths, LinuxResources resources,
        out List<string> warnings)
    {
        CgroupHost host = CgroupHost.Probe();
        CurrentLimits.Complete(host, paths, resources);
        SpecProblems problems = new();
        SpecValidator.ValidateResources(resources, problems);
        if (problems.HasErrors) throw new OciException(problems.ToString(), Errno.EINVAL);
        // containerd repeats the container's rules with each change of a limit, which is not to take back what others have allowed since
        // (device plugins; runc's `update` never changes any).
        if (resources.Devices.Length > 0 && RulesOf(entry, state).AsSpan().SequenceEqual(DeviceFilter.Build(resources.Devices).Describe()))
            resources.Devices = [];
        CgroupPlan plan = CgroupPlan.BuildUpdate(
            host, paths, resources, state.DeviceProgram, state.SystemdUnit is not null, UserNamespace.IsNested());
        warnings = [.. plan.Warnings];
        foreach (SpecProblem warning in problems.Warnings) warnings.Add(warning.ToString());
        return plan;
    }

    /// <summary>The limits are in the kernel and nowhere else, so to take a change back is to write there what was there before.</summary>
    /// <param name="plan">See <see cref="Plan"/>.</param>
    /// <param name="entry">The container.</param>
    /// <param name="state">Its journal.</param>
    /// <param name="last">What else belongs to the change.</param>
    public static void Apply(CgroupPlan plan, ContainerEntry entry, ContainerState state, Action last)
    {
        CgroupUndo undo = CgroupUndo.Take(plan);
        NoteFiles(plan, entry, state);
        try
        {
            if (state.SystemdUnit is not null)
            {
                Cgroup.CheckBefore(plan);
                ScopeUpdate.Apply(state.SystemdUnit, state.SystemdUser, plan, UnitLimits.Of(plan.Steps));
            }
            Cgroup.Apply(plan.Part(late: false));
            if (plan.Devices is { } rules) Change(rules, plan, entry, state);
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

    /// <summary>`verify` is to know what was changed from what was never applied.</summary>
    private static void NoteFiles(CgroupPlan plan, ContainerEntry entry, ContainerState state)
    {
        HashSet<string> files = [.. state.UpdatedLimits];
        int before = files.Count;
        foreach (CgroupStep step in plan.Steps)
        {
            if (step is not ControlWrite write) continue;
            files.Add(write.Content.File);
            if (write.Otherwise is { } other) files.Add(other.File);
            // A cgroup that becomes idle forgets its weight.
            if (write.Content.File == ControlFile.CpuIdle) files.UnionWith([ControlFile.CpuWeight, ControlFile.CpuShares]);
        }
        if (files.Count == before) return;
        state.UpdatedLimits = [.. files.Order(StringComparer.Ordinal)];
        entry.WriteState(state);
    }

    /// <summary>The device rules in force, in words, as far as they are this runtime's.</summary>
    private static string[] RulesOf(ContainerEntry entry, ContainerState state) =>
        state.DeviceRules ?? DeviceFilter.Build(SpecLoader.Reload(entry).Linux?.Resources?.Devices).Describe();

    private static void Change(DeviceFilter rules, CgroupPlan plan, ContainerEntry entry, ContainerState state)
    {
        string[]? before = state.DeviceRules;
        Note([]);
        try
        {
            Cgroup.Apply(plan.Part(late: true));
        }
        catch (OciException) when (!Array.Exists(plan.Steps, static step => step is ChangeDevices { HasChanged: true }))
        {
            NoteAgain(before);
            throw;
        }
        // On v2 systemd's program is asked beside ours.
        if (state is { SystemdUnit: { } unit, SystemdUser: false })
            ScopeUpdate.Apply(unit, isUser: false, plan, UnitDevices.Replacing(rules, plan.IsUnified));
        Note(rules.Describe());

        void Note(string[]? words)
        {
            state.DeviceRules = words;
            entry.WriteState(state);
        }

        void NoteAgain(string[]? words)
        {
            try
            {
                Note(words);
            }
            catch (OciException)
            {
                // Then the next list is written, whatever it says. Why this one was refused is what to tell.
            }
        }
    }
}
