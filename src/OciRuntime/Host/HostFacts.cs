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
    public bool AppArmor { get => _appArmor ??= HasAppArmor(); init => _appArmor = value; }

    /// <summary>SELinux labels can be set. Asked on first use.</summary>
    public bool Selinux { get => _selinux ??= HasSelinux(); init => _selinux = value; }

    /// <summary>
    /// setgroups(2) was given up in the runtime's user namespace, and so in all below it (user_namespaces(7)). Asked on first use.
    /// </summary>
    public bool DeniesSetgroups
    {
        get => _deniesSetgroups ??= InUserNamespace && UserNamespace.DeniesSetgroups("/proc/self/setgroups");
        init => _deniesSetgroups = value;
    }

    /// <summary>Where the programs are that a plan may need, by name; null: in PATH.</summary>
    public Dictionary<string, string>? Programs { get; init; }

    private bool? _appArmor, _selinux, _deniesSetgroups;

    /// <summary>The path of a program, or null when there is none.</summary>
    public string? Find(string program) => Programs is null ? ProgramPath.Find(program) : Programs.GetValueOrDefault(program);

    /// <summary>Whether the runtime has a capability.</summary>
    public bool Has(int capability) => (Permitted >> capability & 1) != 0;

    /// <summary>
    /// The runtime can make device nodes that work: the kernel wants CAP_MKNOD outside of any user namespace for a node, and CAP_SYS_ADMIN
    /// there for a file system on which it can be opened (mknod(2); user_namespaces(7)).
    /// </summary>
    public bool CanMakeNodes => !InUserNamespace && Has(Credentials.CAP_MKNOD) && Has(Credentials.CAP_SYS_ADMIN);

    /// <summary>The runtime can enter another network namespace, and come back (setns(2), ioctl SIOCGSKNS).</summary>
    public bool CanChangeNetwork => !InUserNamespace && Has(Credentials.CAP_SYS_ADMIN) && Has(Credentials.CAP_NET_ADMIN);

    /// <summary>Asks the kernel; a handful of system calls.</summary>
    public static HostFacts Probe()
    {
        // Not taken for none: the program would go without what it was promised.
        OciException.Check(Credentials.GetPermitted(out ulong permitted), "look at the runtime's capabilities");
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

    /// <summary>
    /// AppArmor is on, by the parameter that libapparmor asks, too. securityfs is not looked at: inside a container it is mostly not
    /// mounted, and profiles can be taken all the same.
    /// </summary>
    private static bool HasAppArmor() =>
        Files.ReadFileAt(Files.AT_FDCWD, "/sys/module/apparmor/parameters/enabled", 16, out _) is [(byte)'Y', ..];

    /// <summary>
    /// SELinux is on and has a policy: without one, every process has the label "kernel". As for libselinux, a hidden selinuxfs means that
    /// it is off.
    /// </summary>
    private static bool HasSelinux() =>
        Files.StatFs("/sys/fs/selinux", out Statfs fs) >= 0 && fs.Type == Files.SELINUX_MAGIC
        && Files.ReadFileAt(Files.AT_FDCWD, "/proc/thread-self/attr/current", 4096, out _) is { } label
        && !label.AsSpan().TrimEnd((byte)0).SequenceEqual("kernel"u8);
}
