using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>The values that the steps of an update are about to replace, so that a failure can put them back.</summary>
internal sealed class CgroupUndo
{
    private readonly List<OldValueOf> _old = [];
    private readonly List<ControlWrite> _steps = [];

    private CgroupUndo()
    {
    }

    /// <summary>Reads every file that the plan writes.</summary>
    /// <exception cref="OciException">One cannot be read: what is not known cannot be put back.</exception>
    public static CgroupUndo Take(CgroupPlan plan)
    {
        CgroupUndo undo = new();
        foreach (CgroupStep step in plan.Steps) if (step is ControlWrite write) undo.Note(plan.Directories[step.Directory].Path, write);
        return undo;
    }

    /// <summary>Reads files of one cgroup, those that it has.</summary>
    /// <exception cref="OciException">One cannot be read.</exception>
    public static CgroupUndo Take(string directory, string[] files)
    {
        CgroupUndo undo = new();
        foreach (string file in files) undo.Note(directory, new ControlWrite(0, new(file, new Line("")), ""));
        return undo;
    }

    /// <summary>The writes that would put the values back, as an update might have asked for them.</summary>
    public IReadOnlyList<ControlWrite> Steps => _steps;

    /// <summary>Writes the values back, the last first. Limits that depend on each other may need a second pass.</summary>
    /// <returns>What could not be put back, for the error message; empty when all is as it was.</returns>
    public List<string> Restore()
    {
        List<OldValueOf> left = [.. _old];
        left.Reverse();
        for (int pass = 0; pass < 2; pass++) left.RemoveAll(static old => Write(old) >= 0);
        return left.ConvertAll(static old => $"{old.Directory}/{old.File} = {old.Value.Trim()}");
    }

    /// <summary>What to write to a file so that it says again what it says now.</summary>
    /// <param name="file">Its name.</param>
    /// <param name="written">What the step is going to write.</param>
    /// <param name="present">Its content.</param>
    internal static string OldValue(string file, string written, string present)
    {
        int blank = written.IndexOf(' ');
        string first = present.Split('\n')[0];
        // An empty cpuset: a write of nothing would not reach the kernel.
        if (present.Length == 0 && blank < 0) return "\n";
        if (file == ControlFile.OomControl) return first[(first.IndexOf(' ') + 1)..];
        bool keyed = blank > 0
            && (file is ControlFile.RdmaMax or ControlFile.InterfacePriorities || written.AsSpan(0, blank).Contains(':'));
        if (!keyed) return first;
        string key = written[..(blank + 1)];
        foreach (string line in present.Split('\n')) if (line.StartsWith(key, StringComparison.Ordinal)) return line;
        return key + Unset(file);
    }

    private static string Unset(string file) => file switch
    {
        ControlFile.IoMax => "rbps=max wbps=max riops=max wiops=max",
        ControlFile.RdmaMax => "hca_handle=max hca_object=max",
        _ when file.Contains("weight", StringComparison.Ordinal) => "default",
        _ => "0",
    };

    private void Note(string directory, ControlWrite write)
    {
        using Fd cgroup = Fd.Of(CgroupFiles.OpenPath(directory, Files.O_RDONLY, out _), $"open cgroup {directory}");
        FileContent content = write.Content;
        string present = CgroupFiles.Read(cgroup.Number, content.File, out long error);
        if (error == -Errno.ENOENT && write.Otherwise is { } other)
        {
            content = other;
            present = CgroupFiles.Read(cgroup.Number, content.File, out error);
        }
        // Files that are only written to, as memory.reclaim, have no old value: EINVAL, and EACCES for whom permissions hold.
        if (error is -Errno.ENOENT or -Errno.EINVAL or -Errno.EACCES) return;
        OciException.Check(error, $"read {directory}/{content.File} before it is changed");
        string old = OldValue(content.File, content.Value.ToString(), present);
        _old.Add(new(directory, content.File, present, old));
        // What an idle cgroup weighs is none of its own, and reads 0, 1 or, on v1, 3, as the kernel pleases.
        bool isIdle = content.File is ControlFile.CpuWeight or ControlFile.CpuShares
            && CgroupFiles.ReadIfThere(cgroup.Number, ControlFile.CpuIdle) == "1";
        FileContent told = isIdle ? new(ControlFile.CpuIdle, new Line("1")) : new(content.File, new Line(old));
        _steps.Add(write with { Content = told, Otherwise = null });
        // A cgroup that becomes idle forgets its weight.
        if (content.File == ControlFile.CpuIdle)
        {
            FileValue value = content.Value;
            Note(directory, write with { Content = new(ControlFile.CpuWeight, value), Otherwise = new(ControlFile.CpuShares, value) });
        }
    }

    private static long Write(OldValueOf old)
    {
        long fd = CgroupFiles.OpenPath(old.Directory, Files.O_RDONLY, out _);
        if (fd < 0) return fd;
        // What was not reached needs nothing, and could not always be written: an idle cgroup's cpu.weight reads 0.
        bool same = CgroupFiles.Read((int)fd, old.File, out long result) == old.Present;
        if (!same || result < 0) result = CgroupFiles.Write((int)fd, old.File, old.Value);
        Files.Close((int)fd);
        return result;
    }

    /// <param name="Directory">Of the cgroup.</param>
    /// <param name="File">In it.</param>
    /// <param name="Present">What it said.</param>
    /// <param name="Value">What makes it say so again.</param>
    private sealed record OldValueOf(string Directory, string File, string Present, string Value);
}
