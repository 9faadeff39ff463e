using OciRuntime.Checkpoint;
using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary><c>ocirun restore ID</c>: as run, but the processes come from a checkpoint.</summary>
internal static class RestoreCommand
{
    public static int Run(GlobalOptions g, RestoreOptions o)
    {
        CheckProfile(o.LsmProfile);
        using LaunchSession session = new(g, Settings(g, o));
        CriuCommandLine.WarnIfRootless(g, "restore");
        if (!o.Detach && !o.NoSubreaper) OciException.Check(Processes.Prctl(Processes.PR_SET_CHILD_SUBREAPER, 1), "become child subreaper");
        LaunchPreparation preparation = session.Prepare();
        RestoreSettings settings =
            new()
            {
                Criu = CriuCommandLine.Settings(o),
                TcpClose = o.TcpClose,
                LsmProfile = o.LsmProfile,
                LsmMountContext = o.LsmMountContext
            };
        using ContainerRestore restore = new(settings, session.Begin(preparation));
        restore.Run();
        // The poststart hooks' work is in the images.
        session.Complete(poststart: []);
        return o.Detach ? ExitCodes.Success : session.Wait();
    }

    private static LaunchSettings Settings(GlobalOptions g, RestoreOptions o) => new()
    {
        Verb = "restore",
        Id = o.Id,
        Bundle = o.Bundle,
        Config = o.Config,
        ConsoleSocket = o.ConsoleSocket,
        PidFile = o.PidFile,
        NoPivot = o.NoPivot,
        Detached = o.Detach,
        UseCgroups = g.CgroupManager != CgroupManager.Disabled,
        Systemd = LaunchSession.IsSystemd(g),
        RootlessCgroups = LaunchSession.RootlessCgroups(g),
    };

    private static void CheckProfile(string? profile)
    {
        if (profile is not null && profile.Split(':', 2) is not ["apparmor" or "selinux", { Length: > 0 }])
            throw new OciException($"--lsm-profile {profile}: use apparmor:NAME or selinux:LABEL", Errno.EINVAL);
    }
}
