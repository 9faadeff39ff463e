using System.Buffers.Text;
using System.Globalization;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Verify;

/// <summary>
/// The processes of a container at a moment. Whoever manages the machine may have moved one out of its cgroups, so it is also known by its
/// descent, or by being in both its mount and its pid namespace.
/// </summary>
/// <param name="state">The journal.</param>
/// <param name="init">The first process.</param>
/// <param name="hasOwnMounts">The container has a mount namespace that nobody had before.</param>
internal sealed class Members(ContainerState state, ProcessFiles init, bool hasOwnMounts)
{
    private readonly Dictionary<int, (int Parent, int Session, ulong Start)> _all = [];
    private readonly Dictionary<int, int> _children = [];
    private readonly List<int> _doubtful = [], _entered = [];
    private Statx _mounts, _pids;

    /// <summary>Their pids, ascending, in the caller's pid namespace.</summary>
    public int[] Pids { get; private set; } = [];

    /// <summary>Those but for who has entered from outside, and is in none of the cgroups.</summary>
    public HashSet<int> Own => [.. Pids.Except(_entered)];

    /// <summary>
    /// In none of the cgroups, in another mount namespace, and a child of the first process, or below one, that is in another session than
    /// that. In a pid namespace others may be as well, as the containers of a pod are in that of its first one, which adopts what they
    /// leave behind.
    /// </summary>
    public IReadOnlyList<int> Doubtful => _doubtful;

    /// <exception cref="OciException">A cgroup may not be looked into.</exception>
    public static Members Of(ContainerState state, ProcessFiles init, bool hasOwnMounts)
    {
        Members members = new(state, init, hasOwnMounts);
        members.Find();
        return members;
    }

    /// <summary>Whether a process that is held open is one of them still, and not a stranger that has got its number since.</summary>
    /// <param name="process">The process.</param>
    /// <param name="inCgroups">Who is in the container's cgroups now.</param>
    public bool Has(ProcessFiles process, HashSet<int> inCgroups) => inCgroups.Contains(process.Pid)
        || (_all.TryGetValue(process.Pid, out (int Parent, int Session, ulong Start) its) && process.Is(new(process.Pid, its.Start)));

    public static HashSet<int> InCgroups(ContainerState state) => [.. new CgroupControl(state.CgroupDirectories).Pids()];

    private void Find()
    {
        foreach (string name in Files.ListDirectory("/proc"))
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int pid)) Note(pid);
        // Of the runtime's own helpers some are in the mount namespace for a moment, none of them in the pid namespace.
        bool knowsEntered = hasOwnMounts && state.PrivatePidNamespace
            && init.Stat("ns/mnt", out _mounts) >= 0 && init.Stat("ns/pid", out _pids) >= 0;
        HashSet<int> found = [.. InCgroups(state), state.Init.Pid];
        foreach (int pid in _all.Keys.ToArray())
        {
            if (found.Contains(pid)) continue;
            int child = ChildOfFirst(pid);
            // Without a pid namespace of its own it adopts nobody.
            if (child != 0 && (!state.PrivatePidNamespace || Session(child) == Session(state.Init.Pid)))
            {
                found.Add(pid);
            }
            else if (knowsEntered && IsInside(pid))
            {
                found.Add(pid);
                if (child == 0) _entered.Add(pid);
            }
            else if (child != 0)
            {
                _doubtful.Add(pid);
            }
        }
        Pids = [.. found.Order()];
    }

    private bool IsInside(int pid)
    {
        string directory = $"/proc/{Digits.Of(pid)}/ns";
        return Files.StatAt(Files.AT_FDCWD, $"{directory}/mnt", 0, out Statx its) >= 0 && its.Identity == _mounts.Identity
            && Files.IsWithin(Files.OpenAt(Files.AT_FDCWD, $"{directory}/pid", Files.O_RDONLY), _pids);
    }

    private bool Note(int pid)
    {
        byte[]? line = Files.ReadFileAt(Files.AT_FDCWD, $"/proc/{Digits.Of(pid)}/stat", 1024, out _);
        if (line is null || !ProcessStat.TryParse(line, out ProcessStat stat)) return false;
        _all[pid] = (Number(line, 4), Number(line, 6), stat.StartTime);
        return true;
    }

    /// <summary>A field of proc_pid_stat(5); 0 where that is a process that cannot be named here.</summary>
    private static int Number(byte[] line, int field) =>
        Utf8Parser.TryParse(StatLine.From(line, field), out int number, out _) ? number : 0;

    private int Session(int pid) => _all.TryGetValue(pid, out (int Parent, int Session, ulong Start) its) ? its.Session : -1;

    /// <summary>The one above it, or itself, that is a child of the first process; 0 where there is none.</summary>
    private int ChildOfFirst(int pid)
    {
        int begin = pid, found = 0;
        for (int hops = 0; hops <= _all.Count && _all.TryGetValue(pid, out (int Parent, int Session, ulong Start) its); hops++)
        {
            // How deep its processes are below each other is up to the container.
            if (_children.TryGetValue(pid, out found)) break;
            found = its.Parent == state.Init.Pid ? pid : 0;
            // What is above it may have ended, so that another one is now, or have been made after the list.
            if (found != 0 || (!_all.ContainsKey(its.Parent) && its.Parent > 0 && (!Note(pid) || !Note(_all[pid].Parent)))) break;
            pid = _all[pid].Parent;
        }
        return _children[begin] = found;
    }
}
