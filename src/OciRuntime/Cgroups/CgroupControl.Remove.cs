using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <content>Removal.</content>
internal sealed partial class CgroupControl
{
    private const int LongestPause = 64;

    // Milliseconds that the removal of what is there may take beyond the timeout, which is for those who are going: the kernel removes some
    // ten thousand cgroups a second.
    private const int WorkPatience = 60_000;

    /// <summary>Removes the cgroups and all below them, waiting for processes that are going.</summary>
    /// <exception cref="OciException">Something still holds one after <paramref name="timeout"/>; the message names the pids. May be
    /// repeated.</exception>
    public void Remove(TimeSpan timeout)
    {
        long deadline = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        // v2 comes first: it can be waited for, and a task leaves all hierarchies at the same moment (cgroup_exit()), so that v1
        // then needs no waiting.
        for (int i = 0; i < Paths.Length; i++) RemoveOne(Paths[i], deadline, deadline + WorkPatience);
    }

    /// <summary>
    /// Removes what is below the cgroups, and lets these take processes again; they stay, and so does everything where there still are
    /// processes after <paramref name="timeout"/>.
    /// </summary>
    public void Empty(TimeSpan timeout)
    {
        long deadline = Environment.TickCount64 + (long)timeout.TotalMilliseconds;
        if (!AwaitEnd(deadline)) return;
        foreach (string path in Paths) EmptyOne(path, deadline, deadline + WorkPatience);
    }

    /// <summary>Whether a cgroup is there, and has nothing below it, nor anything to hand down to there.</summary>
    public static bool IsBare(string path)
    {
        bool any = false;
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out bool unified);
        using Fd cgroup = new((int)fd);
        return fd >= 0 && CgroupFiles.Children(cgroup.Number, (_, _) => !(any = true)) >= 0 && !any
            && (!unified || (CgroupFiles.Read(cgroup.Number, ControlFile.SubtreeControl, out long error).Length == 0 && error >= 0));
    }

    /// <summary>One attempt at an empty cgroup without children.</summary>
    internal static bool TryRemove(string path)
    {
        long parent = OpenParent(path, out string name);
        if (parent < 0) return false;
        long result = CgroupFiles.RemoveChild((int)parent, Encoding.UTF8.GetBytes(name));
        Files.Close((int)parent);
        return result == 0;
    }

    private static long OpenParent(string path, out string name)
    {
        int slash = path.TrimEnd('/').LastIndexOf('/');
        name = slash < 0 ? path : path[(slash + 1)..].TrimEnd('/');
        if (slash <= 0 || name is "" or "." or "..") return -Errno.EINVAL;
        // The root of a hierarchy has a parent that is no cgroup: EXDEV, and nothing is touched.
        return CgroupFiles.OpenPath(path[..slash], Files.O_PATH, out _);
    }

    private void RemoveOne(string path, long deadline, long last)
    {
        // A journal names cgroups before they are made. What was never made is not to fail for the reason that kept it from being made,
        // such as a kernel or seccomp profile without openat2.
        if (Files.StatAt(Files.AT_FDCWD, path, Files.AT_SYMLINK_NOFOLLOW, out _) == -Errno.ENOENT) return;
        long parent = OpenParent(path, out string name);
        if (CgroupFiles.IsGone(parent)) return;
        OciException.Check(parent, $"open the parent of cgroup {path}");
        try
        {
            byte[] bytes = Encoding.UTF8.GetBytes(name);
            int pause = 1;
            bool isLate = false;
            long result;
            while ((result = CgroupFiles.RemoveChild((int)parent, bytes)) < 0 && !CgroupFiles.IsGone(result))
            {
                if (!IsBusy(result)) throw OciException.FromResult(result, $"remove cgroup {path}");
                long fd = CgroupFiles.OpenDirectory((int)parent, bytes);
                if (CgroupFiles.IsGone(fd)) return;
                OciException.Check(fd, $"open cgroup {path}");
                try
                {
                    if (isLate) throw Busy(path, (int)fd);
                    RemovalWalk below = new(path, last, room);
                    bool all = below.Run((int)fd);
                    // Before progress counts: what there was may be much, but whoever makes new ones all the time is not to be waited for.
                    isLate = Environment.TickCount64 >= (all ? deadline : last);
                    if (isLate || below.Progress) continue;
                    if (!WaitUntilEmpty((int)fd, deadline))
                    {
                        Processes.Sleep(pause);
                        pause = Math.Min(pause * 2, LongestPause);
                    }
                }
                finally
                {
                    Files.Close((int)fd);
                }
            }
        }
        finally
        {
            Files.Close((int)parent);
        }
    }

    private bool AwaitEnd(long deadline)
    {
        try
        {
            for (int pause = 1; Pids().Length > 0; pause = Math.Min(pause * 2, LongestPause))
            {
                if (Environment.TickCount64 >= deadline) return false;
                Processes.Sleep(pause);
            }
            return true;
        }
        catch (OciException e) when (e.Errno == Errno.ETIMEDOUT)
        {
            // More cgroups than can be looked through: who is in there is not known.
            return false;
        }
    }

    private void EmptyOne(string path, long deadline, long last)
    {
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out _);
        if (CgroupFiles.IsGone(fd)) return;
        using Fd cgroup = Fd.Of(fd, $"open cgroup {path}");
        for (int pause = 1; ; pause = Math.Min(pause * 2, LongestPause))
        {
            RemovalWalk below = new(path, last, room);
            if (below.Run(cgroup.Number) && !below.IsHeld) break;
            if (Environment.TickCount64 >= (below.Progress ? last : deadline)) return;
            if (!below.Progress) Processes.Sleep(pause);
        }
        string enabled = CgroupFiles.Read(cgroup.Number, ControlFile.SubtreeControl, out long error);
        // v1 does not have the file.
        if (!CgroupFiles.IsGone(error)) OciException.Check(error, $"read {path}/{ControlFile.SubtreeControl}");
        if (enabled.Length == 0) return;
        long taken = CgroupFiles.Write(cgroup.Number, ControlFile.SubtreeControl, "-" + enabled.Replace(" ", " -"));
        if (!CgroupFiles.IsGone(taken)) OciException.Check(taken, $"take {enabled} out of {path}/{ControlFile.SubtreeControl}");
    }

    // EBUSY with processes and with children, as the kernel has it; POSIX has the other for the latter.
    private static bool IsBusy(long result) => result is -Errno.EBUSY or -Errno.ENOTEMPTY;

    // v1 has no events, and a v2 cgroup may be busy for reasons other than processes: then the caller pauses.
    private static bool WaitUntilEmpty(int directory, long deadline)
    {
        long populated = CgroupFiles.Keyed(CgroupFiles.Read(directory, ControlFile.Events, out long error), "populated");
        if (error < 0 || populated != 1) return false;
        return WaitForEvent(directory, "populated", 0, deadline) == 0;
    }

    private static OciException Busy(string path, int fd)
    {
        HashSet<int> pids = [];
        bool hasChildren = false;
        CgroupFiles.Rewind(fd);
        // Unreadable counts as none.
        CgroupFiles.Children(fd, (_, _) => !(hasChildren = true));
        try
        {
            CgroupProcesses.Collect(fd, pids);
        }
        catch (OciException)
        {
            // More cgroups than can be looked through: those are then what there is to tell.
        }
        int[] sorted = Sorted(pids);
        string named = string.Join(", ", sorted.Take(20)) + (sorted.Length > 20 ? ", ..." : "");
        string who = sorted.Length == 0
            ? hasChildren ? "there are cgroups below it, which are too many or made all the time"
            : "held by something that is not a process of this pid namespace"
            : $"held by process{(sorted.Length == 1 ? "" : "es")} {named}";
        OciException plain = OciException.FromResult(-Errno.EBUSY, $"remove cgroup {path}");
        return new OciException($"{plain.Message}: {who}", Errno.EBUSY);
    }

    /// <summary>One pass from the leaves up. What has processes stays, and all above it.</summary>
    private sealed class RemovalWalk(string path, long deadline, int room) : CgroupWalk(deadline, room)
    {
        /// <summary>Whether anything was removed.</summary>
        public bool Progress { get; private set; }

        /// <summary>Whether something was not to be removed.</summary>
        public bool IsHeld { get; private set; }

        // Most have nothing below them: to try is cheaper than to look.
        protected override bool Wants(int parent, byte[] name) => !Remove(parent, name);

        protected override void Leave(int parent, byte[] name) => IsHeld |= !Remove(parent, name);

        private bool Remove(int parent, byte[] name)
        {
            long result = CgroupFiles.RemoveChild(parent, name);
            if (result == 0) Progress = true;
            else if (!IsBusy(result) && !CgroupFiles.IsGone(result)) throw OciException.FromResult(result, $"remove a cgroup below {path}");
            return !IsBusy(result);
        }
    }
}
