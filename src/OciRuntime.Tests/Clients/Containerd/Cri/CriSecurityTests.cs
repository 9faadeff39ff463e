using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;
using OciRuntime.Tests.Verify;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>A pod's securityContext, read back from the kernel.</summary>
public sealed class CriSecurityTests(ShimKind shim) : CriFixture(shim)
{
    private const int NetBindService = 10, NetRaw = 13, SysTime = 25, Chown = 0;

    [Test]
    public void Restricted_container()
    {
        string data = Directory.CreateDirectory($"{ContainerdHost.Directory}/data").FullName;
        File.WriteAllText($"{data}/file", "from the host\n");
        Pod pod = new();
        PodContainer container = pod.Run(config =>
        {
            config.Mounts.Add(new Mount { HostPath = data, ContainerPath = "/mnt", Readonly = true });
            config.Linux.Resources.OomScoreAdj = 500;
            config.Linux.SecurityContext.MergeFrom(new LinuxContainerSecurityContext
            {
                RunAsUser = new Int64Value { Value = 1000 },
                RunAsGroup = new Int64Value { Value = 1001 },
                SupplementalGroups = { 2000, 2001 },
                ReadonlyRootfs = true,
                NoNewPrivs = true,
                Capabilities = new Capability { DropCapabilities = { "ALL" }, AddCapabilities = { "NET_BIND_SERVICE" } },
                MaskedPaths = { "/proc/timer_list", "/proc/acpi", "/etc/group" },
                ReadonlyPaths = { "/proc/sys" },
                Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.RuntimeDefault },
            });
        });
        foreach (string id in (string[])[pod.Id, container.Id])
            if (Ocirun.IsUnderTest) Verified.AllHeld(ContainerdHost.RuntimeRoot(ContainerdHost.Handler), id);
        ProcessView init = container.Init;
        init.Status("Uid").Should().Be("1000\t1000\t1000\t1000");
        init.Status("Gid").Should().Be("1001\t1001\t1001\t1001");
        init.Status("Groups").Split(' ').Should().Contain("2000", "2001");
        init.Status("NoNewPrivs").Should().Be("1");
        init.Status("Seccomp").Should().Be("2");
        Capabilities(init, "CapBnd").Should().Be(1UL << NetBindService);
        init.Proc("oom_score_adj").Should().Be("500\n");
        init.MountAt("/").Options.Should().Contain("ro");
        init.MountAt("/mnt").Options.Should().Contain("ro");
        init.MountAt("/proc/sys").Options.Should().Contain("ro");
        container.Shell("cat /mnt/file; wc -c < /etc/group").Should().Be("from the host\n0\n");
        container.Shell("touch /tmp/x /mnt/x 2>&1").Should().Contain("Read-only file system");
        // The profile allows user namespaces to those with CAP_SYS_ADMIN alone; the kernel would to all.
        container.Exec("busybox", "unshare", "--user", "true").ExitCode.Should().NotBe(0);
    }

    [Test]
    public void Capabilities_come_and_go_and_seccomp_can_be_off()
    {
        PodContainer container = new Pod().Run(config => config.Linux.SecurityContext.MergeFrom(new LinuxContainerSecurityContext
        {
            Capabilities = new Capability { DropCapabilities = { "CHOWN" }, AddCapabilities = { "SYS_TIME" } },
            Seccomp = new SecurityProfile { ProfileType = SecurityProfile.Types.ProfileType.Unconfined },
        }));
        ProcessView init = container.Init;
        ulong effective = Capabilities(init, "CapEff");
        (effective >> SysTime & 1, effective >> NetRaw & 1, effective >> Chown & 1).Should().Be((1UL, 1UL, 0UL), "{0:x}", effective);
        init.Status("Seccomp").Should().Be("0");
        container.Exec("busybox", "unshare", "--user", "true").ExitCode.Should().Be(0);
    }

    [Test]
    public void Privileged_container_has_all_capabilities_and_devices()
    {
        PodContainer container =
            new Pod(config => config.Linux.SecurityContext.Privileged = true).Run(config => config.Linux.SecurityContext.Privileged = true);
        ProcessView init = container.Init;
        Capabilities(init, "CapEff").Should().Be(Capabilities(new ProcessView(Environment.ProcessId), "CapEff"));
        init.Status("Seccomp").Should().Be("0");
        init.MountAt("/sys").Options.Should().Contain("rw");
        container.Shell("ls /dev").Split('\n').Should().Contain("kmsg");
        container.Exec("mount", "-t", "tmpfs", "x", "/tmp").ExitCode.Should().Be(0);
    }

    private static ulong Capabilities(ProcessView process, string set) => Convert.ToUInt64(process.Status(set), 16);
}
