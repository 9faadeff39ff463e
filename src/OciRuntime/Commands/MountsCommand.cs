using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun mounts add|remove ID FILE</c>, crun's command.</summary>
internal static class MountsCommand
{
    public static int Run(GlobalOptions g, MountsOptions o)
    {
        // Before anything else is opened: whatever the caller left open must not reach the container (CVE-2024-21626).
        OciException.Check(Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC), "close_range");
        using ContainerEntry entry = new ContainerStore(StateRoot.Resolve(g.Root)).Open(o.Id);
        // Before the lock is taken: whoever writes to standard input may take his time.
        Mount[] mounts = Read(g, o);
        using Interruption interruption = new();
        // With the lock no delete takes the container away half-way, and nobody else's mounts come between ours.
        entry.Acquire("mounts");
        ContainerState state = entry.ReadState();
        if (entry.Probe(state) is ContainerStatus.Stopped or ContainerStatus.Creating)
            throw new OciException(LiveMountPlanner.Stopped, Errno.ESRCH);
        RuntimeSpec spec = SpecLoader.Reload(entry);
        spec.Mounts = mounts;
        LiveMounts live = new(spec, entry, state, interruption, message => Logger.Warn(g, message), Logger.Tracer(g));
        if (o.Action == MountsAction.Add) live.Add();
        else live.Remove();
        return ExitCodes.Success;
    }

    private static Mount[] Read(GlobalOptions g, MountsOptions o)
    {
        byte[]? json;
        long error;
        if (o.File == "-")
        {
            // Blocked since before the runtime started, and nobody reads them from a descriptor yet: Ctrl-C ends the waiting.
            Processes.SetSignalMask(Processes.SIG_SETMASK, 0, out _);
            json = Files.ReadToEnd(0, SpecReader.MaxBytes, out error);
        }
        else
        {
            json = Files.ReadFileAt(Files.AT_FDCWD, o.File, SpecReader.MaxBytes, out error);
        }
        if (json is null) throw OciException.FromResult(error, $"read {o.File}");
        SpecProblems problems = new(o.File);
        Mount[] mounts = SpecReader.ParseMounts(json, problems);
        if (!problems.HasErrors)
        {
            if (o.Action == MountsAction.Add) SpecValidator.ValidateLiveMounts(mounts, problems);
            else SpecValidator.ValidateMountPoints(mounts, problems);
        }
        if (problems.HasErrors) throw new OciException(problems.ToString(), Errno.EINVAL);
        foreach (SpecProblem warning in problems.Warnings) Logger.Warn(g, warning.ToString());
        return mounts;
    }
}
