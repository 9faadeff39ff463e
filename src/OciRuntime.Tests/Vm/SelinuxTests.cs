using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>`process.selinuxLabel` and `linux.mountLabel` on a kernel with SELinux enforcing the policy of selinux.conf.</summary>
[Category("Slow")]
public sealed class SelinuxTests
{
    // The comma is what a mount option must survive.
    private const string Process = "system_u:system_r:container_t:s0:c1,c2", Files = "system_u:object_r:container_file_t:s0:c1,c2";
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        string policy = Path.Combine(TestRun.Root, "policy");
        string source = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests/Vm/selinux.conf");
        // Version 33 is the newest of Linux 6.1.
        Command.Run(Requires.Tool("checkpolicy"), "-M", "-U", "allow", "-c", "33", "-o", policy, source).ShouldSucceed();
        _vm.Options("--lsm", "selinux").GuestFile(policy).Options("--file", $"{Probe.HostPath}:/bin/probe").Prelude("""
            # The kernel takes a policy in one write only.
            dd if=/policy of=/sys/fs/selinux/load bs=1M 2>/dev/null
            echo 1 >/sys/fs/selinux/enforce
            mkdir /secret /rootfs/secret
            mount -t tmpfs -o context=system_u:object_r:secret_t:s0 none /secret
            echo secret >/secret/file
            """);
        foreach (bool noNewPrivileges in (bool[])[false, true])
        {
            Add(nameof(The_label_is_enforced) + noNewPrivileges, Process, Files, bundle =>
            {
                bundle.Process["noNewPrivileges"] = noNewPrivileges;
                bundle.AddMount("/secret", "bind", "/secret", "bind")
                    .Script("tr -d '\\0' </proc/self/attr/current; echo; cat /secret/file");
            });
        }
        Add(nameof(What_is_mounted_for_the_container_has_its_label), Process, Files,
            bundle => bundle.Args("probe", "label", "/dev", "/dev/null", "/dev/pts/ptmx", "/dev/shm", "/dev/mqueue"));
        Add(nameof(Without_a_label_nothing_is_changed), null, null,
            bundle => bundle.AddMount("/secret", "bind", "/secret", "bind")
            .Script("tr -d '\\0' </proc/self/attr/current; echo; cat /secret/file"));
        Add(nameof(A_label_that_the_policy_does_not_know_is_refused), Process.Replace("container_t", "nosuch_t"), Files, _ => { });
        Add(nameof(A_mount_label_that_the_policy_does_not_know_is_refused), Process,
            Files.Replace("container_file_t", "nosuch_t"), _ => { });
        _vm.Add(nameof(Exec_takes_the_containers_label_or_another), bundle =>
        {
            bundle.Process["selinuxLabel"] = Process;
            bundle.Linux["mountLabel"] = Files;
            bundle.Args("sleep", "1000");
        }, $"""
            ocirun create $id && ocirun start $id || exit
            ocirun exec $id cat /proc/self/attr/current
            ocirun exec --process-label {Process.Replace(",c2", ",c3")} $id cat /proc/self/attr/current
            ocirun exec --process-label nonsense $id true || echo $?
            ocirun verify --all $id | grep -e selinuxLabel -e running, >&2
            sed -i s/,c2/,c9/ /run/ocirun/$id/config.json
            ocirun verify $id | grep selinuxLabel >&2
            ocirun delete --force $id
            """);
        _vm.AddFixture("labels-selinux");
        _vm.Run();
        File.Delete(policy);
    }

    [Test]
    public void Section_of_the_specification() => _vm.Result("labels-selinux").ShouldSucceed();

    private void Add(string name, string? process, string? mounts, Action<TestBundle> configure) => _vm.Add(name, bundle =>
    {
        if (process is not null) bundle.Process["selinuxLabel"] = process;
        if (mounts is not null) bundle.Linux["mountLabel"] = mounts;
        configure(bundle);
    }, "ocirun run $id");

    [Test]
    public void The_label_is_enforced([Values] bool noNewPrivileges) =>
        _vm.Result(nameof(The_label_is_enforced) + noNewPrivileges)
        .ShouldFail(1, "/secret/file': Permission denied").Text.Should().Be(Process);

    [Test]
    public void What_is_mounted_for_the_container_has_its_label() =>
        // The last one is the session keyring, which belongs to the process.
        _vm.Result().ShouldSucceed().Lines.Should().Equal(Files, Files, Files, Files, Files, Process);

    [Test]
    public void Exec_takes_the_containers_label_or_another()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Text.Replace("\n", "").Split('\0').Should().Equal(Process, Process.Replace(",c2", ",c3"), "255");
        result.Stderr.Should().Contain("nonsense").And.Contain($"held      /process/selinuxLabel: the label {Process}\n")
            .And.Contain(" 0 broken, 0 drifted, ")
            .And.Contain($"drifted   /process/selinuxLabel: the label {Process.Replace(",c2", ",c9")}\n");
    }

    [Test]
    public void Without_a_label_nothing_is_changed() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("system_u:system_r:machine_t:s0-s0:c0.c3", "secret");

    [Test]
    public void A_label_that_the_policy_does_not_know_is_refused() =>
        _vm.Result().ShouldFail(1, "/process/selinuxLabel: write system_u:system_r:nosuch_t:s0:c1,c2",
        "the loaded SELinux policy has no such context");

    [Test]
    public void A_mount_label_that_the_policy_does_not_know_is_refused() => _vm.Result().ShouldFail(1, "nosuch_t");
}
