using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>systemd's part in `update`.</summary>
internal static class ScopeUpdate
{
    /// <summary>Changes the properties of a container's scope.</summary>
    public static void Apply(string unit, bool isUser, CgroupPlan plan, List<UnitProperty> properties)
    {
        if (properties.Count == 0) return;
        using SystemdManager manager = SystemdManager.Connect(isUser);
        // On v1 systemd then writes the device rules again, beginning with a denial of all: nothing may run meanwhile (runc).
        CgroupControl? control = plan.IsUnified ? null : new CgroupControl(plan.Paths);
        bool thaw = control is not null && !control.IsFrozen() && TryFreeze(control);
        try
        {
            CgroupDirectory? place = Array.Find(plan.Directories, one => plan.IsUnified || one.Hierarchy.Has("cpu"));
            CgroupUndo? present = place is null ? null : CgroupUndo.Take(place.Path, UnitLimits.Approximate);
            manager.SetProperties(unit, properties);
            // What is to change is written afterwards: until then all is as it was.
            if (present?.Restore() is { Count: > 0 } left)
                throw new OciException($"what systemd changed beside it could not be put back: {string.Join(", ", left)}", Errno.EIO);
        }
        finally
        {
            if (thaw) control!.Thaw();
        }
    }

    /// <summary>The same on the way back from a failure, which is what is worth telling.</summary>
    public static void TakeBack(string unit, bool isUser, CgroupPlan plan, List<UnitProperty> properties)
    {
        try
        {
            Apply(unit, isUser, plan, properties);
        }
        catch (OciException)
        {
        }
    }

    private static bool TryFreeze(CgroupControl control)
    {
        try
        {
            control.Freeze();
            return true;
        }
        catch (OciException e) when (e.Errno == Errno.ENOENT)
        {
            return false;
        }
    }
}
