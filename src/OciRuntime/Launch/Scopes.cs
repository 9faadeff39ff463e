using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>Whose systemd makes a container's scope, and where (docs/systemd.md).</summary>
internal static class Scopes
{
    /// <summary>The scope of a container, by its configuration and by whose systemd is going to make it.</summary>
    public static SystemdUnit Find(LaunchSettings settings, RuntimeSpec spec, HostFacts host, CgroupHost cgroups)
    {
        bool isUser = settings.RootlessCgroups ?? IsUser(host);
        SystemdUnit unit = SystemdUnit.Parse(settings.Id, spec.Linux?.CgroupsPath, isUser);
        if (!isUser) return unit;
        if (cgroups.Mode != CgroupMode.V2)
            throw new OciException("--systemd-cgroup: cannot use rootless systemd cgroups manager on cgroup v1", Errno.EOPNOTSUPP);
        using SystemdManager manager = SystemdManager.Connect(isUser: true);
        return unit with { ManagersGroup = manager.ControlGroup() };
    }

    /// <summary>
    /// Has systemd make the scope around a process, then gives the cgroups their limits. The state is told what is ours to undo.
    /// </summary>
    public static OpenCgroups Make(LaunchPreparation preparation, ContainerState state, int pid, Interruption interruption)
    {
        ScopePlan scope = preparation.Cgroups.Scope!;
        // Without a connection there is nothing to undo over one.
        string? journaled = state.SystemdUnit;
        state.SystemdUnit = null;
        using SystemdManager manager = SystemdManager.Connect(scope.Unit.IsUser, interruption.WaitFor);
        state.SystemdUnit = journaled;
        try
        {
            manager.Start(scope.Unit, scope.With(pid));
        }
        catch (OciException e) when (e.Errno == Errno.EEXIST)
        {
            // Another's: neither the unit nor its cgroup is to go with this launch.
            state.SystemdUnit = null;
            state.CgroupsCreated = [];
            throw;
        }
        state.SystemdUnit = scope.Unit.Name;
        state.CgroupsCreated = preparation.Cgroups.Paths;
        OpenCgroups cgroup = Cgroup.Create(preparation.Cgroups, pid);
        cgroup.EnterRest(pid);
        return cgroup;
    }

    /// <summary>
    /// Root of a user namespace may be an ordinary user of the machine, as with Podman, or root of a machine in a container, which has a
    /// systemd of its own: then his session, if any, is that of user 0.
    /// </summary>
    private static bool IsUser(HostFacts host)
    {
        if (host.Uid != 0 || !host.InUserNamespace) return host.Uid != 0;
        string? directory = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        if (!string.IsNullOrEmpty(directory)) return directory.TrimEnd('/') != "/run/user/0";
        return !string.IsNullOrEmpty(Environment.GetEnvironmentVariable("DBUS_SESSION_BUS_ADDRESS"));
    }
}
