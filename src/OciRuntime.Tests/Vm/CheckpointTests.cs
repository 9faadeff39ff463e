using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>checkpoint and restore with the distribution's criu on a kernel that it knows.</summary>
/// <param name="suite">Debian's, with its kernel.</param>
[TestFixture("bookworm")]
[TestFixture("trixie", Category = "ByHand")]
[TestFixture("testing", Category = "ByHand")]
[TestFixture("resolute", Category = "ByHand")]
[Category("Slow")]
public sealed class CheckpointTests(string suite)
{
    // In memory, so that a program that merely started again would begin at 1.
    private const string Counter = "i=0; while :; do i=$((i+1)); echo $i >/data/new; mv /data/new /data/count; sleep 0.1; done";
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Of(suite).Options("--file", $"{Probe.HostPath}:/bin/probe");
        if (suite == "bookworm")
        {
            // This host's: a machine without systemd boots sooner. GNU tar is what criu packs tmpfs with; busybox's lacks options that it
            // uses.
            foreach (string program in (string[])["criu", "tar", "gzip"]) _vm.GuestProgram(program);
            _vm.Options("--memory", "768");
        }
        else
        {
            _vm.Within(9).Options("--systemd");
        }
        _vm.Prelude(File.ReadAllText(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests/Vm/criu.sh")));
        AddLives();
        AddFailures();
        _vm.Run();
    }

    private void Add(string name, string script, Action<TestBundle>? configure = null) => _vm.Add(name, bundle =>
    {
        bundle.AddNamespace("cgroup").AddMount("/data", "bind", "/tmp/data", "bind", "rw").Script(Counter);
        configure?.Invoke(bundle);
    }, script + "\nstatus=$?\nfinish\nexit $status");

    private void AddLives()
    {
        Add(nameof(A_container_goes_on_where_it_was), """
            begin
            mounts >/tmp/before
            save && saved=$(count)
            ocirun state $id
            ls /sys/fs/cgroup | grep $id
            cat /tmp/poststop
            rm /tmp/hooks
            load --pid-file /tmp/pid && goes_on $saved
            mounts >/tmp/after
            diff /tmp/before /tmp/after && echo mounts as before
            ocirun state $id | grep -c -e '"status": "running"' -e "\"pid\": $(cat /tmp/pid),"
            [ "$(cat /sys/fs/cgroup/$id/cgroup.procs | head -n 1)" = "$(cat /tmp/pid)" ] && cat /sys/fs/cgroup/$id/pids.max
            grep -c "\"pid\":$(cat /tmp/pid),.*createRuntime" /tmp/hooks
            grep -c poststart /tmp/hooks
            ocirun exec $id sh -c 'ip link show lo; cat /proc/keys; hostname; echo x >/etc/new; echo x >/readonly/new; echo x >/proc/sys/kernel/hostname' 2>&1
            """, bundle =>
        {
            bundle.AddMount("/readonly", "bind", "/bin", "bind", "ro").AddMount("/etc/group", "bind", "/etc/passwd", "bind", "ro");
            bundle.Linux["resources"] = JsonNode.Parse("""{ "pids": { "limit": 42 } }""");
            bundle.AddHook("createRuntime", "/bin/sh", "-c", "{ cat; echo createRuntime; } >>/tmp/hooks");
            bundle.AddHook("poststart", "/bin/sh", "-c", "{ cat; echo poststart; } >>/tmp/hooks")
                .AddHook("poststop", "/bin/sh", "-c", "echo poststop >/tmp/poststop");
        });
        Add(nameof(Streams_that_were_files_go_on_beside_pipes), """
            mkdir -p $data
            ocirun run --detach $id </dev/null >/dev/null 2>&1 && await 3 && save && saved=$(count)
            { load && goes_on $saved; } </dev/null 2>&1 | cat
            for fd in 0 1; do ocirun exec $id readlink /proc/1/fd/$fd; done
            """);
        Add(nameof(Leave_running), """
            begin
            save --leave-running --work-path /tmp/work && ls /tmp/work
            goes_on $(count)
            load
            echo $?
            ocirun delete --force $id
            saved=$(count)
            load && until [ "$(count)" -lt $saved ]; do :; done && echo an older state
            """);
        Add(nameof(A_pre_dump_makes_the_checkpoint_smaller), """
            begin
            save --pre-dump && goes_on $(count)
            ocirun restore --image-path /tmp/image other
            echo $?
            ocirun checkpoint --network-lock nftables --image-path /tmp/image2 --parent-path ../image $id && saved=$(count)
            readlink /tmp/image2/parent
            [ $(stat -c %s /tmp/image2/pages-1.img) -lt $(stat -c %s /tmp/image/pages-1.img) ] && echo smaller
            ocirun restore --detach --image-path /tmp/image2 $id && goes_on $saved
            """);
        Add(nameof(A_joined_network_namespace), """
            mkdir -p /tmp/data; touch /tmp/net
            unshare --net sh -c 'mount --bind /proc/self/ns/net /tmp/net; ip link set lo up'
            begin
            before=$(ocirun exec $id readlink /proc/1/ns/net)
            save && saved=$(count)
            load && goes_on $saved
            [ "$(ocirun exec $id readlink /proc/1/ns/net)" = "$before" ] && [ "$(stat -Lc 'net:[%i]' /tmp/net)" = "$before" ] && echo the same namespace
            status=$?
            busybox nsenter --net=/tmp/net busybox ping -c 1 -W 5 127.0.0.1 >/dev/null && echo reachable || echo locked
            umount /tmp/net
            (exit $status)
            """, bundle => bundle.AddNamespace("network", "/tmp/net"));
        Add(nameof(A_paused_container), """
            begin
            ocirun pause $id && saved=$(count)
            save --leave-running && ocirun state $id | grep status
            ocirun resume $id && goes_on $saved
            ocirun pause $id && saved=$(count)
            rm -r /tmp/image
            save && load && goes_on $saved
            """);
        Add(nameof(In_the_foreground), """
            begin
            save
            ocirun restore --image-path /tmp/image $id &
            restored=$!
            goes_on $(count)
            kill -USR1 $restored
            wait $restored
            echo $?
            ocirun state $id
            """, bundle => bundle.Script("trap 'exit 7' USR1; " + Counter));
        Add(nameof(A_terminal), """
            mkdir /tmp/data
            ocirun run $id >/tmp/out & runner=$!
            await 3
            ocirun checkpoint --network-lock nftables --image-path /tmp/image $id
            wait $runner
            echo $?
            probe console /tmp/socket >/tmp/terminal & receiver=$!
            until [ -S /tmp/socket ]; do :; done
            saved=$(count)
            load --console-socket /tmp/socket && goes_on $saved
            ocirun kill $id USR1
            wait $receiver
            grep -c 'tick' /tmp/terminal
            ocirun delete --force $id
            saved=$(count)
            ocirun restore --image-path /tmp/image $id >/tmp/out &
            restored=$!
            until [ "$(count)" -lt $saved ]; do :; done
            goes_on $(count)
            ocirun kill $id USR1
            wait $restored
            echo $?
            grep -c 'tick' /tmp/out
            """, bundle => bundle.Terminal().Script("trap 'exit 7' USR1; " + Counter.Replace("sleep", "[ -t 0 ] && [ -t 1 ] && echo tick; sleep", StringComparison.Ordinal)));
        Add(nameof(A_user_namespace), """
            begin
            mounts >/tmp/before
            save && saved=$(count)
            load && goes_on $saved
            mounts >/tmp/after
            # Masks by the null device may become writable mounts, of a device that is not this root's.
            sed -i '/^.null .proc/d' /tmp/before /tmp/after
            diff /tmp/before /tmp/after && echo mounts as before
            ocirun exec $id cat /proc/1/uid_map
            """, bundle => bundle.WithUserNamespace());
    }

    private void AddFailures()
    {
        Add(nameof(Wrong_parent_paths), """
            begin
            mkdir /tmp/image
            touch /tmp/image/file
            for parent in /tmp/image ../nowhere file; do save --parent-path $parent; echo $?; done
            goes_on $(count)
            """);
        Add(nameof(A_dump_that_fails), """
            mkdir /tmp/data
            ocirun run --detach $id <>/dev/ttyS3 && await 3
            save
            echo $?
            goes_on $(count)
            cat /sys/fs/cgroup/$id/cgroup.freeze
            ocirun state $id | grep status
            """);
        Add(nameof(A_restore_that_fails), """
            begin
            save
            rm /tmp/image/core-1.img
            load --pid-file /tmp/pid
            echo $?
            ls -d /tmp/pid /sys/fs/cgroup/$id /run/ocirun/$id 2>&1 | grep -vc 'No such'
            """, bundle => bundle.AddHook("poststop", "/bin/sh", "-c", "echo poststop >>/tmp/poststop"));
        Add(nameof(A_hook_that_fails_ends_the_restore), """
            touch /tmp/good
            begin
            save
            rm /tmp/good
            load
            echo $?
            cat /tmp/poststop
            """, bundle => bundle.AddHook("createRuntime", "/bin/sh", "-c", "[ -e /tmp/good ]").AddHook("poststop", "/bin/sh", "-c", "echo poststop >>/tmp/poststop"));
        Add(nameof(What_is_read_only_now_does_not_come_back_writable), """
            begin
            save
            sed 's/"rw"/"ro"/' config.json >ro.json
            load --config ro.json
            echo $?
            """);
        Add(nameof(No_images), """
            mkdir /tmp/image
            load
            echo $?
            ocirun restore --image-path /tmp/nowhere $id
            """);
    }

    [Test]
    public void A_container_goes_on_where_it_was()
    {
        CommandResult result = _vm.Result();
        result.Stderr.Should().Contain("container does not exist");
        result.Lines[..6].Should().Equal(["poststop", "counts on", "mounts as before", "2", "42", "1"], "{0}", result);
        result.Lines[6].Should().Be("0", "poststart hooks belong to the first start");
        string inside = string.Join('\n', result.Lines[7..]);
        inside.Should().Contain("LOOPBACK,UP").And.Contain("ocirun").And.NotContain("keyring", "/proc/keys is masked");
        inside.Should()
            .Contain("can't create /etc/new: Read-only file system").And.Contain("can't create /readonly/new: Read-only file system")
            .And.Contain("can't create /proc/sys/kernel/hostname: Read-only file system");
    }

    /// <summary>criu sets the position of what was a file, which a pipe does not have.</summary>
    [Test]
    public void Streams_that_were_files_go_on_beside_pipes() =>
    _vm.Result().ShouldSucceed().Lines.Should().Equal("counts on", "/dev/null", "/dev/null");

    [Test]
    public void Leave_running()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("dump.log", "stats-dump", "counts on", "1", "an older state");
        result.Stderr.Should().Contain("container with given ID already exists");
    }

    [Test]
    public void A_pre_dump_makes_the_checkpoint_smaller()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("counts on", "1", "../image", "smaller", "counts on");
        result.Stderr.Should().Contain("a pre-dump cannot be restored");
    }

    /// <summary>
    /// The dump has locked its network, and the restore unlocks it; criu 3.17 looks for its lock under the number of another process.
    /// </summary>
    [Test]
    public void A_joined_network_namespace() => _vm.Result().ShouldSucceed().Lines.Should()
        .Equal("counts on", "the same namespace", suite == "bookworm" ? "locked" : "reachable");

    [Test]
    public void A_paused_container()
    {
        string[] lines = _vm.Result().ShouldSucceed().Lines;
        lines[0].Should().Contain("paused");
        lines[1..].Should().Equal("counts on", "counts on");
    }

    [Test]
    public void In_the_foreground()
    {
        CommandResult result = _vm.Result();
        result.Lines.Should().Equal("counts on", "7");
        result.Stderr.Should().Contain("container does not exist");
    }

    [Test]
    public void A_terminal()
    {
        string[] lines = _vm.Result().Lines;
        lines[0].Should().Be("137", "criu kills what it has saved");
        lines[1].Should().Be("counts on");
        lines[3..5].Should().Equal("counts on", "7");
        int.Parse(lines[2]).Should().BePositive("the console socket has got the terminal");
        int.Parse(lines[5]).Should().BePositive("restore carries the terminal");
    }

    [Test]
    public void A_user_namespace() => _vm.Result().ShouldSucceed().Lines[..2].Should().Equal("counts on", "mounts as before");

    [Test]
    public void Wrong_parent_paths()
    {
        CommandResult result = _vm.Result();
        result.Lines.Should().Equal("1", "1", "1", "counts on");
        result.Stderr.Should()
            .Contain("--parent-path /tmp/image: must be relative").And.Contain(
            "invalid --parent-path: /tmp/image/../nowhere: no such file or directory (ENOENT)")
            .And.Contain("invalid --parent-path: /tmp/image/file: not a directory (ENOTDIR)");
    }

    [Test]
    public void A_dump_that_fails()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines[..3].Should().Equal("1", "counts on", "0");
        result.Lines[3].Should().Contain("running");
        result.Stderr.Should()
            .Contain("criu failed: type DUMP errno").And.Contain("Can't dump file 0 of that type").And.Contain(
            "log file: /tmp/image/dump.log");
    }

    [Test]
    public void A_restore_that_fails()
    {
        CommandResult result = _vm.Result();
        result.Lines.Should().Equal("1", "0");
        result.Stderr.Should()
            .Contain("ocirun restore failed: criu failed: type RESTORE errno").And.Contain("Unexpected EOF").And.Contain(
            "log file: /tmp/image/restore.log");
    }

    [Test]
    public void A_hook_that_fails_ends_the_restore()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("1", "poststop", "poststop");
        result.Stderr.Should().Contain("error running createRuntime hook #0").And.Contain("exit status 1");
    }

    [Test]
    public void What_is_read_only_now_does_not_come_back_writable()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal("1");
        result.Stderr.Should().Contain("/data: /tmp/data is to be read-only, and in the checkpoint it is writable at /data");
    }

    [Test]
    public void No_images()
    {
        CommandResult result = _vm.Result().ShouldFail(1, "--image-path /tmp/nowhere: no such file or directory (ENOENT)");
        result.Lines.Should().Equal("1");
        result.Stderr.Should().Contain("descriptors.json: no such file or directory (ENOENT): not the checkpoint of a container");
    }
}
