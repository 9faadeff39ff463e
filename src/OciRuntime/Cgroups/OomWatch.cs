using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// Tells when the kernel kills in a cgroup for lack of memory: a descriptor to poll, and what has happened when it is ready.
/// </summary>
internal sealed class OomWatch : IDisposable
{
    private readonly Fd _fd;
    private readonly Fd? _control;
    private long _kills;

    private OomWatch(Fd fd, Fd? control, long kills)
    {
        _fd = fd;
        _control = control;
        _kills = kills;
    }

    /// <summary>What to poll, for <see cref="PollEvents"/>.</summary>
    public int Descriptor => _fd.Number;

    public short PollEvents => _control is null ? Processes.POLLPRI : Processes.POLLIN;

    /// <summary>Watches the cgroup that accounts for memory; null where none does.</summary>
    public static OomWatch? Open(StatsSource source)
    {
        int directory = source.MemoryDirectory(out bool unified);
        if (directory < 0) return null;
        return unified ? OpenV2(directory) : OpenV1(directory);
    }

    /// <summary>Whether there was a kill since the last call.</summary>
    public bool Take() => _control is null ? TakeV2() : TakeV1();

    // A change of memory.events, of the cgroups below as well, wakes whoever polls it (cgroup-v2.rst); inotify would report the same
    // moment.
    private static OomWatch OpenV2(int directory)
    {
        Fd events = Fd.Of(CgroupFiles.OpenFile(directory, ControlFile.MemoryEvents, Files.O_RDONLY), "open memory.events");
        return new OomWatch(events, null, Kills(events));
    }

    private static long Kills(Fd events) => CgroupFiles.Keyed(CgroupFiles.ReadFrom(events.Number, out _), "oom_kill");

    private bool TakeV2()
    {
        long kills = Kills(_fd);
        bool more = kills > _kills;
        _kills = Math.Max(kills, _kills);
        return more;
    }

    // Documentation/admin-guide/cgroup-v1/memory.rst, section 10.
    private static OomWatch? OpenV1(int directory)
    {
        Fd signal = Fd.Of(Processes.EventFd(), "eventfd");
        OomWatch watch = new(signal, new Fd((int)CgroupFiles.OpenFile(directory, ControlFile.OomControl, Files.O_RDONLY)), 0);
        // A kernel without it (CONFIG_MEMCG_V1 off, or a mount that is read-only) has statistics all the same.
        bool isSet = watch._control!.IsOpen
            && CgroupFiles.Write(directory, "cgroup.event_control", $"{signal.Number} {watch._control.Number}") >= 0;
        if (isSet) return watch;
        watch.Dispose();
        return null;
    }

    // It is signalled before the kill, so the counter does not know yet; and when the cgroup is removed.
    private bool TakeV1()
    {
        if (Files.Read(_fd.Number, out ulong _) != sizeof(ulong)) return false;
        CgroupFiles.ReadFrom(_control!.Number, out long error);
        return error >= 0;
    }

    public void Dispose()
    {
        _fd.Dispose();
        _control?.Dispose();
    }
}
