using System.Globalization;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Verify;

/// <summary>Limits and device rules: what the control files say now against what was written to them.</summary>
internal static class CgroupProof
{
    private const string Title = "cgroups", Devices = "device rules";

    // The kernel has no limit of that size, but for cgroup v1, where it is how it shows that there is none (PAGE_COUNTER_MAX).
    private const ulong NoLimit = 1UL << 62;

    /// <summary>That whoever is in the container has its limits, too.</summary>
    public static Promise Everyone { get; } = new(Title, "/linux/cgroupsPath", "every process in the container's cgroups");

    /// <summary>A process that is moved out of a cgroup leaves its limits, and its device rules.</summary>
    public static IEnumerable<ProcessPromise> OfProcesses(Subject subject, FileTree tree)
    {
        List<(string Path, HashSet<int> Pids)> places = [];
        foreach (CgroupDirectory place in subject.Cgroups.Directories)
        {
            long fd = CgroupFiles.OpenPath(place.Path, Files.O_RDONLY, out _);
            // That there is none is told elsewhere.
            if (fd < 0) continue;
            using Fd directory = new((int)fd);
            HashSet<int> pids = [];
            CgroupProcesses.Collect(directory.Number, pids);
            places.Add((place.Path, pids));
        }
        if (places.Count == 0) yield break;
        bool mayMove = subject.MayMove(tree);
        yield return new(Everyone, process =>
        {
            if (!int.TryParse(process.Status("Tgid"), NumberStyles.None, CultureInfo.InvariantCulture, out int pid))
                return Seen.Unchecked("the kernel does not show which process it is");
            List<string> left = [];
            // What was made since is in no list yet.
            foreach ((string path, HashSet<int> pids) in places) if (!pids.Contains(pid) && !IsIn(path, pid)) left.Add(path);
            return left.Count == 0 ? Seen.Held : Subject.Other(mayMove, $"it is not in {string.Join(", ", left)}");
        })
        { MayDifferWhenEntered = true };
    }

    private static bool IsIn(string path, int pid)
    {
        long fd = CgroupFiles.OpenPath(path, Files.O_RDONLY, out _);
        if (fd < 0) return false;
        using Fd directory = new((int)fd);
        return IsIn(directory.Number, pid);
    }

    public static void Add(Report report, Subject subject, FileTree tree)
    {
        CgroupPlan plan = subject.Cgroups;
        for (int i = 0; i < plan.Directories.Length; i++)
        {
            CgroupDirectory place = plan.Directories[i];
            long fd = CgroupFiles.OpenPath(place.Path, Files.O_RDONLY, out bool unified);
            if (fd < 0)
            {
                report.Add(Title, "/linux/cgroupsPath", $"in {place.Path}", plan.Optional ? Seen.Unchecked(ErrnoText.Full((int)-fd))
                    : new(Outcome.Broken, ErrnoText.Full((int)-fd)));
                continue;
            }
            using Fd directory = new((int)fd);
            report.Add(Title, "/linux/cgroupsPath", $"in {place.Path}", IsIn(directory.Number, subject.State.Init.Pid) ? Seen.Held
                : Subject.Other(subject.MayMove(tree), "the first process is not in it"));
            AddWrites(report, subject, i, directory.Number);
            if (plan.Devices is { } filter) AddDevices(report, subject, i, directory.Number, unified, filter);
        }
    }

    private static bool IsIn(int directory, int pid)
    {
        long found = CgroupProcesses.Find(directory, pid, out _);
        if (found < 0) return false;
        Files.Close((int)found);
        return true;
    }

    private static void AddWrites(Report report, Subject subject, int index, int directory)
    {
        CgroupPlan plan = subject.Cgroups;
        HashSet<string> seen = [];
        // Of several writes to one place the last one counts.
        for (int i = plan.Steps.Length - 1; i >= 0; i--)
        {
            CgroupStep step = plan.Steps[i];
            if (step.Directory != index || step is not ControlWrite write || IsOfDevices(step)) continue;
            if (!seen.Add(Place(write.Content))) continue;
            report.Add(Title, step.Pointer, plan.Describe(step)["write ".Length..], Written(write, directory, subject.State.UpdatedLimits));
        }
    }

    /// <summary>It says what devices may be used.</summary>
    public static bool IsOfDevices(CgroupStep step) =>
        step is AttachDevices or ControlWrite { Content.File: ControlFile.DevicesAllow or ControlFile.DevicesDeny };

    /// <summary>The file, and of one with a line for each of several things, which.</summary>
    private static string Place(in FileContent content) => content.Value switch
    {
        DeviceAmount of => $"{content.File} {of.Major}:{of.Minor} {of.Key}",
        Line { Text: var text } when text.IndexOf(' ') is > 0 and var blank => $"{content.File} {text[..blank]}",
        _ => content.File,
    };

    private static Seen Written(ControlWrite write, int directory, string[] updated)
    {
        FileContent content = write.Content;
        string present = CgroupFiles.Read(directory, content.File, out long error);
        if (error == -Errno.ENOENT && write.Otherwise is { } other)
        {
            content = other;
            present = CgroupFiles.Read(directory, content.File, out error);
        }
        if (error == -Errno.ENOENT && write.Tolerance.HasFlag(CgroupTolerance.Missing))
            return Seen.Unchecked("this kernel does not have the file");
        if (error < 0) return Seen.Unchecked(ErrnoText.Full((int)-error));
        string wanted = content.Value.ToString(), line = CgroupUndo.OldValue(content.File, wanted, present);
        if (content.Value is DeviceAmount { Key: { } key }) (wanted, line) = (Keyed(wanted, key), Keyed(line, key));
        FileValue was = FileValue.Read(content.File, wanted), its = FileValue.Read(content.File, line);
        if (IsSame(content.File, was, its)) return Seen.Held;
        string found = $"it is {(line.Trim().Length == 0 ? "empty" : line.Trim())}";
        bool isNew = CgroupDefaults.Are(directory, content.File, its);
        if (write.Tolerance.HasFlag(CgroupTolerance.Permission) && (isNew || IsNone(its)))
            return Seen.Unchecked($"{found}, as may be where the runtime has no right to write it");
        // Limits are changed by update, and by whoever manages the machine. That there is none at all, or what a new cgroup has, is another
        // matter, unless update has had a hand in it.
        if (Array.IndexOf(updated, content.File) >= 0 || !(isNew || (IsNone(its) && !IsNone(was)))) return new(Outcome.Drifted, found);
        return new(Outcome.Broken, isNew ? $"{found}, as in a new cgroup" : found);
    }

    private static string Keyed(string line, string key)
    {
        foreach (string word in line.Split(' ')) if (word.StartsWith(key + "=", StringComparison.Ordinal)) return word[(key.Length + 1)..];
        return Amount.Max;
    }

    private static bool IsSame(string file, FileValue was, FileValue its) => (was, its) switch
    {
        _ when IsNone(was) && IsNone(its) => true,
        // In whole pages.
        (Amount { Number: { } a }, Amount { Number: { } b }) => a == b || (b < a && a - b < Page(file)),
        (Line { Text: var a }, Line { Text: var b }) => a == b || Same(a, b),
        _ => was == its,
    };

    private static ulong Page(string file)
    {
        if (!file.StartsWith("hugetlb.", StringComparison.Ordinal))
            return ControlFile.Controller(file) == "memory" ? (ulong)Environment.SystemPageSize : 0;
        // "hugetlb.2MB.max"
        return FileValue.Read("", file.Split('.')[1].TrimEnd('B')) is Amount { Number: { } size } ? size : 0;
    }

    private static bool Same(string a, string b) =>
        CpuList.TryParse(a, CpuList.MaxCpus, out ulong[] these) && CpuList.TryParse(b, CpuList.MaxCpus, out ulong[] those)
        && these.AsSpan().SequenceEqual(those);

    private static bool IsNone(FileValue value) =>
        value is Amount { Number: null or >= NoLimit } or Quota { Time: null } or Line { Text: "" };

    private static void AddDevices(Report report, Subject subject, int index, int directory, bool unified, DeviceFilter filter)
    {
        CgroupPlan plan = subject.Cgroups;
        // `update` may have allowed all of them.
        bool isUpdated = subject.State.DeviceRules is not null;
        CgroupStep[] steps = Array.FindAll(plan.Steps, step => step.Directory == index);
        string path = plan.Directories[index].Path;
        if (Array.Find(steps, static step => step is AttachDevices) is { } attach)
            report.Add(Devices, attach.Pointer, $"the device program on {path}", Program(attach, directory, filter, isUpdated));
        if (!unified && Array.Find(steps, static step => step is ControlWrite && IsOfDevices(step)) is { } rule)
            report.Add(Devices, rule.Pointer, $"the device rules of {path}", Rules(rule, directory, filter, isUpdated));
    }

    private static Seen Program(CgroupStep attach, int directory, DeviceFilter filter, bool isUpdated)
    {
        Span<uint> ids = stackalloc uint[64];
        long count = Bpf.QueryDevices(directory, ids);
        if (count < 0) return Seen.Unchecked(ErrnoText.Full((int)-count));
        if (count == 0)
        {
            return !attach.Tolerance.HasFlag(CgroupTolerance.Permission) ? Subject.Other(isUpdated, "there is none")
                : Seen.Unchecked("there is none, as may be where the runtime has no right to load one");
        }
        BpfInstruction[] wanted = DeviceProgram.Assemble(filter);
        long refused = 0;
        foreach (uint id in ids[..(int)count])
        {
            long fd = Bpf.OpenProgram(id);
            using Fd program = new((int)fd);
            BpfInstruction[]? its = fd < 0 ? null : Bpf.Instructions(program.Number, out fd);
            if (its is null) refused = fd;
            // All programs of a cgroup have to agree: one of others' takes nothing away from this one.
            else if (its.AsSpan().SequenceEqual(wanted)) return Seen.Held;
        }
        return refused < 0 ? Seen.Unchecked($"a program may not be looked at: {ErrnoText.Full((int)-refused)}")
            : new(Outcome.Drifted, "another program is there, as after a change of the rules");
    }

    private static Seen Rules(CgroupStep rule, int directory, DeviceFilter filter, bool isUpdated)
    {
        string list = CgroupFiles.Read(directory, "devices.list", out _);
        if (list.StartsWith('a'))
        {
            if (!filter.DefaultAllow && rule.Tolerance.HasFlag(CgroupTolerance.Permission))
                return Seen.Unchecked("every device is allowed, as may be where the runtime has no right to write rules");
            return !filter.DefaultAllow ? Subject.Other(isUpdated, "every device is allowed")
                : filter.Exceptions().Count == 0 ? Seen.Held : Seen.Unchecked("the kernel does not show exceptions to what is allowed");
        }
        if (filter.DefaultAllow) return new(Outcome.Drifted, "what is not listed is refused");
        List<(string File, DeviceFilterRule Rule)> changes = DeviceUpdate.Difference(DeviceUpdate.Parse(list), filter.Exceptions());
        return changes.Count == 0 ? Seen.Held : new(Outcome.Drifted, string.Join(", ",
            changes.Select(static change =>
                $"{change.Rule.KernelText} is {(change.File == ControlFile.DevicesDeny ? "" : "not ")}allowed")));
    }
}
