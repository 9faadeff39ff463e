using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// What Debian 12 is too old for: Podman 5 under systemd, configured by `setup`, and AppArmor's word on user namespaces.
/// </summary>
/// <param name="suite">Debian's.</param>
[TestFixture("trixie", Category = "ByHand")]
[TestFixture("testing", Category = "ByHand")]
[TestFixture(Ubuntu, Category = "ByHand")]
[Category("Slow")]
[ForeignDaemon]
public sealed class TrixieTests(string suite)
{
    private const string Ubuntu = "resolute";

    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Within(9).Of(suite).Options("--systemd", "--file", $"{Probe.HostPath}:/rootfs/bin/probe").Prelude("""
            as_user() { setpriv --reuid 1000 --regid 1000 --init-groups env -i PATH=$PATH HOME=/home/user XDG_RUNTIME_DIR=/run/user/1000 "$@"; }
            files() { dir=$1; shift; for f in "$@"; do v=; while read -r l; do v="$v${v:+,}$l"; done <$dir/$f; echo "$f=$v"; done; }
            # wait_until COMMAND...: 30 s at most
            wait_until() { tries=0; until "$@" || [ $tries -ge 150 ]; do tries=$((tries + 1)); sleep 0.2; done; }
            clear() { find /tmp /var/tmp -mindepth 1 -maxdepth 1 ! -name 'systemd-*' -exec rm -rf {} +; }
            # What the machine would load as it boots.
            for name in unprivileged_userns podman; do [ ! -e /etc/apparmor.d/$name ] || apparmor_parser --add --skip-cache /etc/apparmor.d/$name; done
            ocirun setup podman --default --write >/dev/null
            chmod 1777 /tmp
            image=$(tar -C /rootfs -c . | tee /image.tar | podman import -q - vmtest)
            """);
        AddPodmanChecks();
        AddAppArmorChecks();
        _vm.Run();
    }

    private void AddPodmanChecks()
    {
        _vm.Add(nameof(A_timer_checks_a_containers_health), static _ => { }, """
            podman run --detach --name $id --network none --health-cmd 'touch /checked; test -e /healthy' --health-interval 1s --health-retries 1 vmtest sleep 1000 >/tmp/cid || exit
            read -r cid </tmp/cid
            systemctl list-timers --all --plain --no-legend "$cid*" | grep -c "$cid"
            root=/proc/$(podman inspect --format '{{.State.Pid}}' $id)/root
            wait_until [ -e $root/checked ]
            healthy() { [ "$(podman inspect --format '{{.State.Health.Status}}' $id)" = $1 ]; }
            wait_until healthy unhealthy && podman inspect --format '{{.State.Health.Status}}' $id
            touch $root/healthy
            wait_until healthy healthy && podman inspect --format '{{.State.Health.Status}}' $id
            podman rm --force --time 0 $id >/dev/null
            systemctl list-timers --all --plain --no-legend "$cid*"
            systemctl stop machine.slice; clear
            """);
        _vm.Add(nameof(A_quadlet_is_ready_when_its_container_says_so), static _ => { }, """
            mkdir -p /etc/containers/systemd
            printf '%s\n' '[Container]' Image=localhost/vmtest Network=none Notify=true 'PodmanArgs=--memory 40m --pids-limit 33' \
              'Exec=sh -c "probe notify READY=1 STATUS=inside; trap exit TERM; while :; do sleep 1; done"' '[Service]' TimeoutStartSec=60 >/etc/containers/systemd/web.container
            systemctl daemon-reload
            systemctl start web.service || { journalctl -u web.service --no-pager >&2; exit 1; }
            systemctl show web.service -p ActiveState,SubState,StatusText,Type
            for payload in /sys/fs/cgroup/system.slice/web.service/libpod-payload-*; do files $payload memory.max pids.max; done
            ocirun list -q | wc -l
            systemctl stop web.service
            systemctl show web.service -p ActiveState
            ocirun list -q; ls -d /sys/fs/cgroup/system.slice/web.service 2>/dev/null
            rm -r /etc/containers/systemd; systemctl daemon-reload; systemctl stop machine.slice 2>/dev/null; clear
            """);
        _vm.Add(nameof(A_user_has_limits_and_a_network), static _ => { }, """
            modprobe tun 2>/dev/null || insmod /lib/modules/tun.ko; chmod 666 /dev/net/tun
            as_user ocirun setup podman --user --default --write >/dev/null
            cd /home/user; as_user podman import -q - vmtest </image.tar >/dev/null || exit
            as_user podman run --detach --name $id --network pasta --publish 8080:80 --memory 40m --pids-limit 33 --cpus 0.5 vmtest \
              sh -c 'echo from inside >/index.html; exec httpd -f -h /' >/tmp/cid || exit
            read -r cid </tmp/cid
            for scope in $(find /sys/fs/cgroup/user.slice -name "libpod-$cid.scope"); do echo ${scope%/libpod*}; files $scope memory.max pids.max cpu.max; done
            reached() { busybox wget -q -O - http://127.0.0.1:8080/index.html 2>/dev/null; }
            wait_until reached
            as_user podman exec $id ls /sys/class/net | grep -c -v lo
            as_user podman inspect --format '{{.OCIRuntime}}' $id
            as_user podman rm --force --time 0 $id >/dev/null
            as_user podman system migrate; as_user systemctl --user stop user.slice
            rm -rf /home/user/.local /home/user/.config; clear
            """);
    }

    private void AddAppArmorChecks()
    {
        if (suite == Ubuntu) AddRestriction();
        // Debian's kernels have no such sysctl, but profiles that do the same.
        foreach ((string name, string rules) in ((string, string)[])
            [(nameof(A_profile_may_forbid_user_namespaces), "capability,"),
            (nameof(A_profile_may_leave_root_of_a_namespace_powerless), "userns, audit deny capability,")])
        {
            _vm.Add(name, static bundle =>
            {
                SystemdTests.Rootless(bundle);
                bundle.Linux.Remove("cgroupsPath");
            }, $$"""
                cat >/tmp/profile <<'EOF'
                abi <abi/4.0>,
                profile restricted /usr/sbin/ocirun flags=(attach_disconnected) { file, network, mount, umount, pivot_root, signal, ptrace, unix, {{rules}} }
                EOF
                apparmor_parser --add --skip-cache /tmp/profile || exit
                as_user ocirun run $id
                status=$?
                apparmor_parser --remove /tmp/profile
                rm /tmp/profile
                exit $status
                """);
        }
    }

    private void AddRestriction() => _vm.Add(nameof(Ubuntu_asks_for_the_profile_that_is_documented), static bundle =>
    {
        SystemdTests.Rootless(bundle);
        bundle.Linux.Remove("cgroupsPath");
        bundle.Args("echo", "inside");
    }, $$"""
        as_user ocirun run $id
        as_user ocirun check | grep -A 2 'restricts user namespaces'
        {{VmChecks.LoadAppArmorProfile}}
        as_user ocirun run $id
        as_user ocirun check | grep -c 'restricts user namespaces'
        printf 'profile ocirun {}' | apparmor_parser --remove
        """);

    [Test]
    public void A_timer_checks_a_containers_health() =>
        _vm.Result().ShouldSucceed().Lines.Should().Equal("1", "unhealthy", "healthy");

    [Test]
    public void A_quadlet_is_ready_when_its_container_says_so()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[..4].Should().BeEquivalentTo("ActiveState=active", "SubState=running", "StatusText=inside", "Type=notify");
        lines[4..].Should().Equal("memory.max=41943040", "pids.max=33", "1", "ActiveState=inactive");
    }

    [Test]
    public void A_user_has_limits_and_a_network()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().StartWith("/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/");
        lines[1..].Should().Equal("memory.max=41943040", "pids.max=33", "cpu.max=50000 100000", "from inside", "1", "ocirun");
    }

    [Test]
    public void Ubuntu_asks_for_the_profile_that_is_documented()
    {
        if (suite != Ubuntu) Assert.Ignore("missing: kernel.apparmor_restrict_unprivileged_userns");
        CommandResult result = _vm.Result();
        const string Reason = "this machine restricts user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1";
        result.Stderr.Should().MatchRegex($"^time=.*operation not permitted \\(EPERM\\): {Reason}\"\n$");
        result.Lines[0].Should().Contain("missing ").And.EndWith(Reason);
        result.Lines[^2..].Should().Equal("inside", "0");
    }

    [Test]
    public void A_profile_may_forbid_user_namespaces() => _vm.Result().ShouldFail(1, "clone3 with new namespaces",
        "permission denied (EACCES): AppArmor confines this program: restricted (enforce)");

    [Test]
    public void A_profile_may_leave_root_of_a_namespace_powerless() => _vm.Result().ShouldFail(1, "clone3 with new namespaces",
        "operation not permitted (EPERM): AppArmor confines this program: restricted (enforce)");
}
