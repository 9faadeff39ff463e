using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Checks;

/// <summary>What the kernel can do, and lets this process do, by trying it.</summary>
internal static class KernelChecks
{
    private const string Topic = "kernel";

    public static void Add(Report report, HostFacts host)
    {
        report.Add(Calls(host));
        report.Add(Seal());
        report.Add(FileSystems());
        report.Add(SeccompFlags());
        report.Add(Keyrings());
    }

    /// <summary>
    /// With arguments that each of them refuses before it does anything. A filter that does not know one answers ENOSYS, or, as Docker's
    /// does where a capability is missing, EPERM; the kernel says EPERM, too, where the mount namespace is another's.
    /// </summary>
    private static Finding Calls(HostFacts host)
    {
        (string Name, long Result)[] calls = CallProbe.All();
        bool filtered = ProcText.Status("Seccomp") == "2";
        List<string> refused = [];
        foreach ((string name, long result) in calls)
        {
            if (result == -Errno.ENOSYS || (result == -Errno.EPERM && filtered && host.Has(Credentials.CAP_SYS_ADMIN)))
                refused.Add($"{name} ({ErrnoText.Name((int)-result)})");
        }
        string release = ProcText.Setting("kernel/osrelease") ?? "of unknown release";
        return refused.Count == 0
            ? new(Topic, "system calls", Verdict.Ok, $"Linux {release} has all {calls.Length} that a launch is made of")
            : new(Topic, "system calls", Verdict.Missing, $"Linux {release} refuses {string.Join(", ", refused)}",
                "no container can be made", filtered
                ? "this process has a seccomp filter: run it without one, or with one that allows these calls"
                : "take a kernel from Linux 5.12 on");
    }

    /// <summary>What Native/seal.c does before each launch.</summary>
    private static Finding Seal()
    {
        const string Name = "the program's seal";
        string own = Path.GetDirectoryName(Files.ReadLink("/proc/self/exe")) ?? "/";
        long overlay = -Errno.ENOENT;
        foreach (string other in (ReadOnlySpan<string>)["/dev/shm", "/sys/kernel", "/proc/tty"])
            if (overlay < 0) overlay = Mounts.TryOverlay(own, other);
        if (overlay >= 0) return new(Topic, Name, Verdict.Ok, "an overlay without copying");
        string reason = ErrnoText.Full((int)-overlay);
        if (ProcText.Setting("vm/memfd_noexec") == "2")
        {
            return new(Topic, Name, Verdict.Missing, $"neither an overlay ({reason}) nor a program in memory (vm.memfd_noexec is 2)",
                "no container can be made", "sysctl vm.memfd_noexec=1");
        }
        return new(Topic, Name, Verdict.Ok, $"a copy in memory for each launch, as there is no overlay ({reason})");
    }

    /// <summary>Those that nearly every configuration mounts.</summary>
    private static Finding FileSystems()
    {
        string known = ProcText.Text("/proc/filesystems");
        string[] missing = Array.FindAll((string[])["proc", "sysfs", "tmpfs", "devpts", "mqueue"], name => !known.Contains($"\t{name}\n"));
        return missing.Length == 0 ? new(Topic, "file systems", Verdict.Ok, "proc, sysfs, tmpfs, devpts and mqueue")
            : new(Topic, "file systems", Verdict.Limited, $"the kernel does not have {string.Join(", ", missing)}",
                "a configuration that mounts one of them fails", "a kernel with them, or mounts without them");
    }

    private static Finding SeccompFlags()
    {
        if (!SeccompFilter.KnowsFlags(0))
        {
            return new(Topic, "seccomp", Verdict.Limited, "the kernel takes no filter", "a configuration with /linux/seccomp fails",
                "a kernel with CONFIG_SECCOMP_FILTER");
        }
        string[] missing = Array.FindAll(SpecWords.SeccompFlags, static word => !SeccompWords.KernelKnows(word));
        return missing.Length == 0 ? new(Topic, "seccomp", Verdict.Ok, "filters, with every flag")
            : new(Topic, "seccomp", Verdict.Limited, $"filters, without {string.Join(", ", missing)}",
                "a configuration with one of these in /linux/seccomp/flags fails");
    }

    private static Finding Keyrings()
    {
        const string Name = "session keyrings";
        long ring = CallProbe.SessionKeyring();
        return ring switch
        {
            >= 0 or -Errno.ENOKEY => new(Topic, Name, Verdict.Ok, "there"),
            -Errno.ENOSYS => new(Topic, Name, Verdict.Ok, "the kernel has none, and containers go without"),
            _ => new(Topic, Name, Verdict.Limited, $"refused: {ErrnoText.Full((int)-ring)}", "each container gets one, so none can be made",
                "call create and run with --no-new-keyring"),
        };
    }
}
