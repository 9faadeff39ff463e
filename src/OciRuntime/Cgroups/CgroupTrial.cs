using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Tries what a plan would write, in an empty cgroup beside the one that it is for, which is removed again: what the kernel takes there
/// depends on the cgroups above, on what is online, and on devices, and it alone knows how.
/// </summary>
internal static class CgroupTrial
{
    /// <summary>All that the launch would fail on, as it would say it.</summary>
    public static List<OciException> Faults(CgroupPlan plan)
    {
        List<OciException> faults = [];
        // Systemd makes them, and who may do without does.
        if (plan.Scope is not null || plan.Optional) return faults;
        int[] open = new int[plan.Directories.Length];
        Array.Fill(open, -1);
        CgroupDirectory[] trials = new CgroupDirectory[open.Length];
        try
        {
            for (int i = 0; i < open.Length; i++)
            {
                trials[i] = plan.Directories[i];
                // One is enough to be told of: the others fail for the same reason.
                if (faults.Count > 0) continue;
                try
                {
                    open[i] = Make(plan, plan.Directories[i], out trials[i]);
                }
                catch (OciException e)
                {
                    faults.Add(e);
                }
            }
            new CgroupRun(plan.In(trials, step => IsTried(step, trials[step.Directory], open[step.Directory])), open)
                .Each(e => faults.Add(Named(e, plan.Directories, trials)));
        }
        finally
        {
            for (int i = 0; i < open.Length; i++)
            {
                if (open[i] < 0) continue;
                // What it has of the real-time budget counts for a moment longer than it is there. On v2, or without a budget, there is no
                // such file.
                CgroupFiles.Write(open[i], ControlFile.RealtimeRuntime, "0");
                Files.Close(open[i]);
                // Nobody was ever in it.
                CgroupControl.TryRemove(trials[i].Path);
            }
        }
        return faults;
    }

    /// <summary>Makes the cgroup, below the nearest one that is there.</summary>
    private static int Make(CgroupPlan plan, CgroupDirectory wanted, out CgroupDirectory trial)
    {
        trial = wanted;
        long mount = CgroupFiles.OpenMount(wanted.Hierarchy);
        if (mount < 0) throw OciException.FromResult(mount, $"open cgroup mount {wanted.Hierarchy.MountPoint}");
        using Fd root = new((int)mount);
        string above = wanted.Relative;
        while (above.Length > 0)
        {
            long fd = CgroupFiles.OpenDirectory(root.Number, above);
            bool isThere = fd >= 0;
            if (isThere && above == wanted.Relative) Cgroup.RefuseUnusable(wanted, (int)fd, existing: true, 0);
            if (isThere) Files.Close((int)fd);
            // A control file's name is nowhere to make one.
            if (fd == -Errno.ENOTDIR) throw CgroupHints.Failure(plan, fd, $"open cgroup {wanted.Path}");
            if (isThere) break;
            above = above.LastIndexOf('/') is >= 0 and var slash ? above[..slash] : "";
        }
        string name = $"ocirun-check-{Processes.Pid()}";
        trial = new(wanted.Hierarchy, above.Length == 0 ? name : $"{above}/{name}");
        long made = Files.MakeDirectoryAt(root.Number, trial.Relative, FileModes.PublicDirectory);
        if (made < 0) throw CgroupHints.Failure(plan, made, $"create cgroup {wanted.Path}");
        long opened = CgroupFiles.OpenDirectory(root.Number, trial.Relative);
        if (opened >= 0) return (int)opened;
        CgroupControl.TryRemove(trial.Path);
        throw OciException.FromResult(opened, $"open cgroup {trial.Path}");
    }

    /// <summary>
    /// Controllers are not handed down for a trial, which would be for good: nothing is known of what is written where one is missing.
    /// </summary>
    private static bool IsTried(CgroupStep step, CgroupDirectory place, int directory)
    {
        if (step is EnableControllers) return false;
        if (step is not ControlWrite write || !place.Hierarchy.Unified || directory < 0) return true;
        string controller = ControlFile.Controller(write.Content.File);
        string[] there = CgroupFiles.Read(directory, ControlFile.Controllers, out _).Split(' ');
        return controller == "cgroup" || Array.IndexOf(there, controller) >= 0;
    }

    /// <summary>The words are about the container's own.</summary>
    private static OciException Named(OciException fault, CgroupDirectory[] wanted, CgroupDirectory[] trials)
    {
        string words = fault.Message;
        for (int i = 0; i < wanted.Length; i++) words = words.Replace(trials[i].Path, wanted[i].Path);
        return new(words, fault.Errno);
    }
}
