using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>The journal of a container that is about to be made, by create, run or restore.</summary>
internal static class Journal
{
    /// <summary>Looks at what is there: somebody else's is not to be undone.</summary>
    public static ContainerState Of(LaunchPreparation p)
    {
        string[] missing = Missing(p.Cgroups.Paths);
        return new ContainerState
        {
            Id = p.Settings.Id,
            Phase = ContainerPhase.Creating,
            Creator = ProcessIdentity.Self(),
            Created = Timestamp.Now(),
            Bundle = p.Bundle,
            Rootfs = p.Rootfs,
            Annotations = CopyOf(p.Spec.Annotations),
            CgroupManager = p.Cgroups.Scope is not null ? "systemd" : p.Settings.UseCgroups ? "cgroupfs" : "disabled",
            CgroupDirectories = p.Cgroups.Paths,
            CgroupsCreated = missing,
            CgroupsToEmpty = missing.Length == p.Cgroups.Paths.Length || p.Cgroups.Scope is not null ? []
                : Array.FindAll(p.Cgroups.Paths, CgroupControl.IsBare),
            DeviceProgram = p.Cgroups.ProgramName,
            // Slices are systemd's to remove.
            CgroupParents = p.Cgroups.Scope is not null ? [] : MissingParents(p.Cgroups.Paths),
            SystemdUnit = p.Cgroups.Scope is { } scope && Array.TrueForAll(p.Cgroups.Paths, IsMissing) ? scope.Unit.Name : null,
            SystemdUser = p.Cgroups.Scope is { Unit.IsUser: true },
            ResctrlGroups = p.Rdt?.ToMake() ?? [],
            PrivatePidNamespace = p.Plan.PrivatePidNamespace,
            Keyring = !p.Settings.NoNewKeyring,
            KeptFds = (int)p.KeptFds,
            OwnerUid = Processes.EffectiveUid(),
            NotifySocket = p.NotifySocket,
            Poststart = p.Spec.Hooks?.Poststart ?? [],
            Poststop = p.Spec.Hooks?.Poststop ?? [],
        };
    }

    /// <summary>What it is going to be once the container is created, but for what only the kernel can say.</summary>
    public static ContainerState Finished(LaunchPreparation p)
    {
        ContainerState state = Of(p);
        if (p.Plan.MountsOnHost) state.HostMount = default(HostMount);
        state.SystemdUnit = p.Cgroups.Scope?.Unit.Name;
        state.ResctrlGroups = p.Rdt?.ToRemove(state.ResctrlGroups) ?? [];
        if (!Array.Exists(p.Cgroups.Steps, static step => step is AttachDevices)) state.DeviceProgram = "";
        return state;
    }

    /// <summary>
    /// Cgroups that are there already are somebody else's: not even a launch that is killed half-way may lead to their removal.
    /// </summary>
    private static string[] Missing(string[] paths) => Array.FindAll(paths, IsMissing);

    private static string[] MissingParents(string[] paths)
    {
        List<string> missing = [];
        foreach (string path in paths)
        {
            int first = missing.Count;
            for (int slash = path.LastIndexOf('/'); slash > 0 && IsMissing(path[..slash]); slash = path.LastIndexOf('/', slash - 1))
                missing.Insert(first, path[..slash]);
        }
        return [.. missing];
    }

    private static bool IsMissing(string path)
    {
        long result = Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat);
        // A control file has the name: nothing is to be recorded that could not be made.
        if (result >= 0 && !stat.IsDirectory) result = -Errno.ENOTDIR;
        // Where an ordinary user may not even look he makes nothing.
        if (result < 0 && result is not (-Errno.ENOENT or -Errno.EACCES)) throw OciException.FromResult(result, $"look for cgroup {path}");
        return result == -Errno.ENOENT;
    }

    private static SortedDictionary<string, string> CopyOf(SpecMap<string> annotations)
    {
        SortedDictionary<string, string> copy = new(StringComparer.Ordinal);
        foreach (KeyValuePair<string, string> item in annotations) copy[item.Key] = item.Value;
        return copy;
    }
}
