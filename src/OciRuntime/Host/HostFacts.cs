using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>What this process may do on this machine, as far as a plan depends on it.</summary>
internal sealed class HostFacts
{
    /// <summary>The kernel's highest capability.</summary>
    public int LastCapability { get; init; }

    /// <summary>Capabilities this process has and can therefore give.</summary>
    public ulong Permitted { get; init; }

    /// <summary>Effective ids of the runtime.</summary>
    public uint Uid { get; init; }

    public uint Gid { get; init; }

    /// <summary>The runtime itself runs in a user namespace that is not the initial one: device nodes cannot be made.</summary>
    public bool InUserNamespace { get; init; }

    /// <summary>AppArmor profiles can be taken. Asked on first use.</summary>
    public bool AppArmor { get => _appArmor ??= SecurityModules.AppArmor(); init => _appArmor = value; }

    /// <summary>SELinux labels can be set. Asked on first use.</summary>
    public bool Selinux { get => _selinux ??= SecurityModules.Selinux(); init => _selinux = value; }

    /// <summary>setgroups(2) was given up in the runtime's user namespace, and so in all below it (user_namespaces(7)). Asked on first use.</summary>
    public bool DeniesSetgroups { get => _deniesSetgroups ??= InUserNamespace && UserNamespace.DeniesSetgroups(); init => _deniesSetgroups = value; }

    private bool? _appArmor, _selinux, _deniesSetgroups;

    /// <summary>Whether the runtime has a capability.</summary>
    public bool Has(int capability) => (Permitted >> capability & 1) != 0;

    /// <summary>
    /// The runtime can make device nodes that work: the kernel wants CAP_MKNOD outside of any user namespace for a node, and CAP_SYS_ADMIN there for a file
    /// system on which it can be opened (mknod(2); user_namespaces(7)).
    /// </summary>
    public bool CanMakeNodes => !InUserNamespace && Has(Credentials.CAP_MKNOD) && Has(Credentials.CAP_SYS_ADMIN);

    /// <summary>Asks the kernel; a handful of system calls.</summary>
    public static HostFacts Probe()
    {
        // Failing that there are none: nothing is tried that takes some.
        Credentials.GetPermitted(out ulong permitted);
        return new HostFacts
        {
            LastCapability = FindLastCapability(),
            Permitted = permitted,
            Uid = Processes.EffectiveUid(),
            Gid = Processes.EffectiveGid(),
            InUserNamespace = UserNamespace.IsNested(),
        };
    }

    // Linux has had 41 capabilities since 5.9; the loops run only on kernels that have fewer or more.
    private static int FindLastCapability()
    {
        int last = 40;
        while (last > 0 && Processes.Prctl(Processes.PR_CAPBSET_READ, last) < 0) last--;
        while (last < 62 && Processes.Prctl(Processes.PR_CAPBSET_READ, last + 1) >= 0) last++;
        return last;
    }
}
