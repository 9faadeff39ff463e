using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>Makes cgroups and changes their settings.</summary>
internal static class Cgroup
{
    // mkdir -p against others who remove empty parents at the same time: each lost race costs one round.
    private const int MakeAttempts = 10;

    /// <summary>Makes the directories of a plan, applies its steps and opens what a child needs to enter.</summary>
    /// <param name="plan">The plan.</param>
    /// <param name="inhabitant">The process that systemd has put into those that it makes; 0 where they are made here, which must be
    /// empty.</param>
    /// <exception cref="OciException">A step failed; everything this call created is gone again.</exception>
    public static OpenCgroups Create(CgroupPlan plan, int inhabitant = 0)
    {
        OpenCgroups entry = new();
        int[] fds = new int[plan.Directories.Length];
        Array.Fill(fds, -1);
        try
        {
            for (int i = 0; i < fds.Length; i++) fds[i] = MakeDirectory(plan, plan.Directories[i], entry, inhabitant);
            new CgroupRun(plan, fds).All();
            for (int i = 0; i < fds.Length; i++)
            {
                if (fds[i] < 0)
                {
                    entry.Skip(plan.Directories[i].Hierarchy.Unified);
                    continue;
                }
                int fd = fds[i];
                fds[i] = -1;
                entry.Add(plan.Directories[i].Path, fd, plan.Directories[i].Hierarchy.Unified);
            }
            return entry;
        }
        catch
        {
            foreach (int fd in fds) if (fd >= 0) Files.Close(fd);
            entry.Dispose();
            entry.Rollback();
            throw;
        }
    }

    /// <summary>Applies steps on v2 to cgroups that are open; one that could not be made and need not be is passed over.</summary>
    /// <exception cref="OciException">A step failed.</exception>
    public static void Apply(CgroupPlan plan, OpenCgroups entry) =>
        new CgroupRun(plan, Array.ConvertAll(plan.Directories, d => d.Hierarchy.Unified ? entry.UnifiedFd : -1)).All();

    /// <summary>Applies the steps of a plan to existing cgroups (`update`).</summary>
    /// <exception cref="OciException">A step failed; earlier ones are in force.</exception>
    public static void Apply(CgroupPlan plan)
    {
        int[] fds = new int[plan.Directories.Length];
        Array.Fill(fds, -1);
        try
        {
            for (int i = 0; i < fds.Length; i++)
            {
                string path = plan.Directories[i].Path;
                fds[i] = (int)OciException.Check(CgroupFiles.OpenPath(path, Files.O_RDONLY, out _), $"open cgroup {path}");
            }
            new CgroupRun(plan, fds).All();
        }
        finally
        {
            foreach (int fd in fds) if (fd >= 0) Files.Close(fd);
        }
    }

    /// <summary>Only those steps of a plan that look whether the others may be done.</summary>
    /// <exception cref="OciException">They may not.</exception>
    public static void CheckBefore(CgroupPlan plan) => Apply(plan.OnlyChecks());

    private static int MakeDirectory(CgroupPlan plan, CgroupDirectory directory, OpenCgroups entry, int inhabitant)
    {
        long mount = CgroupFiles.OpenMount(directory.Hierarchy);
        // In a container a mount may be in the table and yet out of reach: another one covers it.
        if (mount < 0 && plan.Optional) return -1;
        if (mount < 0) throw OciException.FromResult(mount, $"open cgroup mount {directory.Hierarchy.MountPoint}");
        try
        {
            long made = Files.MakeDirectoryAt((int)mount, directory.Relative, FileModes.PublicDirectory);
            for (int attempt = 0; made == -Errno.ENOENT && attempt < MakeAttempts; attempt++)
                made = MakeParents((int)mount, directory, entry);
            if (made == 0)
            {
                entry.AddCreated(directory.Path);
            }
            else if (made != -Errno.EEXIST)
            {
                if (plan.Optional && made is -Errno.EPERM or -Errno.EACCES or -Errno.EROFS) return -1;
                throw CgroupHints.Failure(plan, made, $"create cgroup {directory.Path}");
            }
            int fd = (int)OciException.Check(CgroupFiles.OpenDirectory((int)mount, directory.Relative), $"open cgroup {directory.Path}");
            RefuseUnusable(directory, fd, existing: made != 0, inhabitant);
            return fd;
        }
        finally
        {
            Files.Close((int)mount);
        }
    }

    private static long MakeParents(int mount, CgroupDirectory directory, OpenCgroups entry)
    {
        string relative = directory.Relative;
        for (int slash = relative.IndexOf('/'); slash >= 0; slash = relative.IndexOf('/', slash + 1))
        {
            long made = Files.MakeDirectoryAt(mount, relative[..slash], FileModes.PublicDirectory);
            if (made == 0) entry.AddCreated(directory.Hierarchy.MountPoint + "/" + relative[..slash]);
            else if (made != -Errno.EEXIST) return made;
        }
        return Files.MakeDirectoryAt(mount, relative, FileModes.PublicDirectory);
    }

    // Limits must not fall on processes that are there already, and a process that enters a frozen cgroup
    // stops before it can say so (crun 1.27 hangs for ever then). A new cgroup is frozen when one above it is.
    internal static void RefuseUnusable(CgroupDirectory directory, int fd, bool existing, int inhabitant)
    {
        try
        {
            if (existing || inhabitant != 0) CheckProcesses(directory, fd, inhabitant);
            bool couldBeFrozen = directory.Hierarchy.Unified || directory.Hierarchy.Has("freezer");
            if (couldBeFrozen && (existing || directory.Relative.Contains('/')) && CgroupControl.IsFrozen(fd, directory.Hierarchy.Unified))
                throw new OciException($"container's cgroup unexpectedly frozen: {directory.Path}", Errno.EBUSY);
        }
        catch
        {
            Files.Close(fd);
            throw;
        }
    }

    private static void CheckProcesses(CgroupDirectory directory, int fd, int inhabitant)
    {
        HashSet<int> pids = [];
        CgroupProcesses.Collect(fd, pids);
        // Limits beside the container's real cgroup would be none.
        if (inhabitant != 0 && !pids.Remove(inhabitant) && directory.Hierarchy.Unified)
            throw new OciException($"systemd did not put process {inhabitant} into {directory.Path}", Errno.ENOENT);
        if (pids.Count > 0)
            throw new OciException($"container's cgroup is not empty: {pids.Count} process(es) found in {directory.Path}", Errno.EBUSY);
    }
}
