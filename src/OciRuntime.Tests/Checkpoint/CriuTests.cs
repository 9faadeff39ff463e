using System.Diagnostics;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Checkpoint;

/// <summary>
/// checkpoint and restore with a criu that is missing, or does what a real one hardly ever does. What they do with a real one is seen in
/// the virtual machine (Vm/CheckpointTests).
/// </summary>
[LeavesNothing]
public sealed class CriuTests
{
    private readonly string _directory = TestRun.NewDirectory("criu");

    private string Images => Path.Combine(_directory, "images");

    private string Request => File.ReadAllText(Path.Combine(_directory, "request"));

    [SetUp]
    public void MakeImages()
    {
        Requires.OcirunItself();
        Requires.Tool("criu");
        Directory.CreateDirectory(Images);
        File.WriteAllText(Path.Combine(Images, "descriptors.json"), """["pipe:[7]","file[1f:2]","pipe:[7]"]""");
        string fake = Path.Combine(Directory.CreateDirectory(Path.Combine(_directory, "bin")).FullName, "criu");
        File.Copy(Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests/Checkpoint/fake-criu.py"), fake, overwrite: true);
        File.SetUnixFileMode(fake, (UnixFileMode)0b111_101_101);
    }

    [OneTimeTearDown]
    public void Clean() => Cleaner.DeleteTree(_directory);

    private CommandOptions Fake(string mode) => new()
    {
        Env = new Dictionary<string, string?>
        {
            ["PATH"] = $"{_directory}/bin:/usr/bin:/bin",
            ["FAKE_CRIU"] = mode,
            ["FAKE_CRIU_RECORD"] = Path.Combine(_directory, "request"),
            ["FAKE_CRIU_PID"] = $"{Environment.ProcessId}",
        },
    };

    private CommandResult Checkpoint(TestContainer container, string mode, params string[] options) =>
        container.Call(["checkpoint", "--image-path", Images, .. options, container.Id], Fake(mode));

    private RunningCommand StartRestore(TestContainer container, string mode, params string[] options)
    {
        container.Bundle.Save();
        return Ocirun.Start(["--root", container.StateRoot, "restore", "--image-path", Images, "--bundle", container.Bundle.Directory,
            .. options, container.Id], Fake(mode));
    }

    private CommandResult Restore(TestContainer container, string mode, params string[] options)
    {
        using RunningCommand command = StartRestore(container, mode, options);
        return command.Wait();
    }

    [Test]
    public void A_missing_criu_is_named()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        CommandOptions empty =
            new()
            {
                Env = new Dictionary<string, string?> { ["PATH"] = Directory.CreateDirectory(Path.Combine(_directory, "nothing")).FullName }
            };
        container.Call(["checkpoint", "--image-path", Images, container.Id], empty)
            .ShouldFail(1, "executable file not found in $PATH: install CRIU 3.16 or newer (https://criu.org)");
        container.Status.Should().Be("running");
    }

    /// <summary>A kernel that this criu does not know is as good a reason as any; if it does know it, one is given.</summary>
    [Test]
    public void A_real_criu_that_cannot_dump_leaves_the_container_as_it_is()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.WithCgroup().Args("sleep", "1000")).Started();
        CommandResult result = container.Invoke("checkpoint", "--image-path", Images, "--work-path", Path.Combine(_directory, "work"),
            "--network-lock", "nftables", "--leave-running");
        if (!result.Succeeded)
            result.ShouldFail(1, "criu failed: type DUMP errno ", "log file: " + Path.Combine(_directory, "work/dump.log"));
        container.Status.Should().Be("running");
    }

    [Test]
    public void The_request_says_what_was_asked_for()
    {
        using TestBundle bundle = new();
        bundle.WithCgroup().AddMount("/bound", "bind", "/usr", "rbind", "ro")
            .Args("sleep", "1000").Annotations["org.criu.config"] = "/etc/criu/mine.conf";
        using TestContainer container = new TestContainer(bundle).Started();
        Checkpoint(container, "refuse", "--leave-running", "--tcp-established", "--tcp-skip-in-flight", "--link-remap", "--ext-unix-sk",
            "--shell-job", "--file-locks", "--auto-dedup",
            "--manage-cgroups-mode", "strict", "--network-lock", "nftables", "--empty-ns", "network", "--page-server", "[::1]:1234")
            .ShouldFail(1);
        Request.Should().Contain("type: DUMP").And.Contain($"pid: {container.InitPid}").And.Contain($"root: \"{bundle.Rootfs}\"");
        foreach (string flag in (string[])["leave_running", "ext_unix_sk", "tcp_established", "shell_job", "file_locks", "auto_dedup",
            "link_remap", "tcp_skip_in_flight", "orphan_pts_master", "notify_scripts"])
        {
            Request.Should().Contain($"  {flag}: true\n");
        }
        Request.Should()
            .Contain("manage_cgroups_mode: STRICT").And.Contain("network_lock: NFTABLES").And.Contain("empty_ns: 1073741824").And.Contain(
            "config_file: \"/etc/criu/mine.conf\"");
        Request.Should()
            .Contain("address: \"::1\"").And.Contain("port: 1234").And.Contain("log_file: \"dump.log\"").And.Contain("log_level: 4");
        Request.Should().MatchRegex("freeze_cgroup: \"/sys/fs/cgroup/.*" + bundle.CgroupsPath);
        Request.Should()
            .Contain("external: \"mnt[/bound]:/bound\"").And.Contain("external: \"mnt[/proc/keys]:/dev/null\"").And.NotContain(
            "mnt[/proc]");
        Request.Should().MatchRegex("external: \"file\\[[0-9a-f]+:[0-9a-f]+\\]\"", "stdin is the host's /dev/null");
        JsonNode.Parse(File.ReadAllText(Path.Combine(Images, "descriptors.json")))!.AsArray().Should().HaveCount(3);
    }

    [Test]
    public void What_was_not_asked_for_is_not_in_the_request()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        bundle.Annotations["org.criu.config"] = "";
        Checkpoint(container, "refuse").ShouldFail(1);
        Request.Should()
            .Contain("manage_cgroups_mode: SOFT").And.Contain("config_file: \"/etc/criu/runc.conf\"", "the annotation came too late");
        foreach (string option in (string[])["leave_running", "shell_job", "lazy_pages", "parent_img", "track_mem", "network_lock",
            "address", "lsm"])
        {
            Request.Should().NotContain(option);
        }
    }

    [Test]
    public void The_request_to_restore()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.WithCgroup().AddNamespace("network", "/proc/self/ns/net").AddMount("/bound", "bind", "/usr", "bind"));
        Restore(container, "refuse", "--lsm-profile", "apparmor:mine", "--lsm-mount-context", "c1", "--tcp-close", "--no-pivot",
            "-no-subreaper").ShouldFail(1);
        Request.Should()
            .Contain("type: RESTORE").And.Contain("rst_sibling: true").And.Contain("evasive_devices: true").And.Contain("tcp_close: true")
            .And.Contain("lsm_profile: \"apparmor:mine\"").And.Contain("lsm_mount_context: \"c1\"").And.Contain(
            "external: \"mnt[/bound]:/usr\"").And.Contain("external: \"mnt[/dev/null]:/dev/null\"");
        Request.Should().NotContain("empty_ns", "criu would lock the joined network once more");
        Request.Should()
            .MatchRegex("inherit_fd \\{\\s+key: \"extRootNetNS\"\\s+fd: 4").And.MatchRegex(
            "inherit_fd \\{\\s+key: \"pipe:\\[7\\]\"\\s+fd: 0").And.MatchRegex("inherit_fd \\{\\s+key: \"file\\[1f:2\\]\"\\s+fd: 1");
        Request.Should().MatchRegex($"cg_root \\{{\\s+ctrl: \"[^\"]*\"\\s+path: \"{bundle.CgroupsPath}\"");
    }

    [Test]
    public void The_flags_of_restore_are_in_the_request()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        bundle.Save();
        string work = Path.Combine(_directory, "work");
        Directory.CreateDirectory(Path.Combine(_directory, "earlier"));
        string[] common = ["restore", "--image-path", Images, "--bundle", bundle.Directory, "--work-path", work];
        container.Call([.. common, "--parent-path", "../earlier", "--tcp-established", "--ext-unix-sk", "--shell-job", "--file-locks",
            "--auto-dedup",
            "--manage-cgroups-mode", "full", "--empty-ns", "network", "--network-lock", "iptables", "--no-subreaper", container.Id],
                Fake("refuse")).ShouldFail(1, "criu failed: type RESTORE");
        Directory.Exists(work).Should().BeTrue("criu is to write its log there");
        foreach (string flag in (string[])["ext_unix_sk", "tcp_established", "shell_job", "file_locks", "auto_dedup"])
            Request.Should().Contain($"  {flag}: true\n");
        Request.Should().Contain("manage_cgroups_mode: FULL").And.Contain("network_lock: IPTABLES").And.Contain("empty_ns: 1073741824");
        container.Call([.. common, "--lazy-pages", container.Id], Fake("refuse")).ShouldFail(1);
        Request.Should().Contain("  lazy_pages: true\n");
    }

    [TestCase("garbage", "criu sent what is no message of its protocol")]
    [TestCase("flood", "criu sent what is no message of its protocol: longer than 40960 bytes")]
    [TestCase("killed", "criu was killed by signal 9 before it answered")]
    [TestCase("gone", "criu ended with exit status 3 before it answered")]
    [TestCase("old", "needs CRIU 3.16 or newer; this is 3.10")]
    [TestCase("refuse",
        "criu failed: type RESTORE errno 2 (ENOENT: no such file or directory): Error (criu/a.c:1): the  [1mreason; log file: ")]
    [TestCase("stranger", "is not a child of this process")]
    public void A_restore_that_goes_wrong_leaves_nothing(string mode, string message)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.WithCgroup());
        Restore(container, mode).ShouldFail(1, "ocirun restore failed: ", message);
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [TestCase("garbage")]
    [TestCase("killed")]
    [TestCase("refuse")]
    public void A_dump_that_goes_wrong_leaves_the_container(string mode)
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.WithCgroup().Args("sleep", "1000")).Started();
        Checkpoint(container, mode).ShouldFail(1, "criu ");
        container.Status.Should().Be("running");
    }

    [Test]
    public void Without_memory_tracking_there_is_no_pre_dump()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        Checkpoint(container, "no-tracking", "--pre-dump").ShouldFail(1, "--pre-dump: criu says that memory tracking");
        Checkpoint(container, "refuse", "--lazy-pages").ShouldFail(1, "--lazy-pages: criu says that userfaultfd");
    }

    /// <summary>SIGTERM ends a restore at once, also when criu does not react.</summary>
    [MeasuresTime]
    [TestCase("hang")]
    [TestCase("stubborn")]
    public void A_restore_can_be_interrupted(string mode)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.WithCgroup());
        File.Delete(Path.Combine(_directory, "request"));
        using RunningCommand restore = StartRestore(container, mode);
        Eventually.True(() => File.Exists(Path.Combine(_directory, "request")), "criu has got the request");
        long started = Stopwatch.GetTimestamp();
        restore.Signal(15);
        restore.Wait().ShouldFail(143, "interrupted by signal 15; undone");
        Stopwatch.GetElapsedTime(started).Should().BeLessThan(TimeSpan.FromSeconds(12));
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }

    [TestCase("checkpoint --page-server host c", "--page-server host: use ADDRESS:PORT")]
    [TestCase("checkpoint --page-server ::1:80 c", "--page-server ::1:80: use ADDRESS:PORT")]
    [TestCase("checkpoint --page-server h:0 c", "--page-server h:0: use ADDRESS:PORT")]
    [TestCase("checkpoint --empty-ns pid c", "is not supported")]
    [TestCase("checkpoint --manage-cgroups-mode none c", "expected soft, full, strict or ignore")]
    [TestCase("restore --network-lock no c", "expected iptables, nftables or skip")]
    [TestCase("restore --lsm-profile mine c", "--lsm-profile mine: use apparmor:NAME or selinux:LABEL")]
    [TestCase("restore --lsm-mount-context", "flag needs an argument: --lsm-mount-context")]
    [TestCase("checkpoint nosuch", "container does not exist")]
    public void Mistakes_on_the_command_line(string line, string message) => Ocirun.Run(line.Split(' ')).ShouldFail(1, message);

    [Test]
    public void A_status_descriptor_has_to_be_writable()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        Checkpoint(container, "refuse", "--status-fd", "77").ShouldFail(1, "invalid --status-fd argument 77: bad file descriptor (EBADF)");
        using Microsoft.Win32.SafeHandles.SafeFileHandle input = File.OpenHandle("/dev/null");
        CommandOptions options = Fake("refuse") with { ExtraFds = [(int)input.DangerousGetHandle()] };
        container.Call(["checkpoint", "--image-path", Images, "--status-fd", "3", container.Id], options)
            .ShouldFail(1, "invalid --status-fd argument 3: not writable");
    }

    [Test]
    public void A_created_container_cannot_be_checkpointed()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("sleep", "1000"));
        container.Create().ShouldSucceed();
        Checkpoint(container, "refuse").ShouldFail(1, "cannot be checkpointed in created state");
    }

    [Test]
    public void An_id_mapped_mount_is_refused()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/mapped", "bind", bundle.Directory, "bind", "idmap").Args("sleep", "1000");
        foreach (string kind in (string[])["uidMappings", "gidMappings"])
            bundle.Mounts[^1]![kind] = new JsonArray(new JsonObject { ["containerID"] = 0, ["hostID"] = 1000, ["size"] = 10 });
        using TestContainer container = new TestContainer(bundle).Started();
        Checkpoint(container, "refuse").ShouldFail(1, "/mapped: id-mapped mounts cannot be checkpointed");
    }

    /// <summary>The bracket would end the place in criu's syntax, and what follows name another directory of the host.</summary>
    [Test]
    public void A_bracket_in_a_mount_point_is_refused()
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("/x]:"));
        Directory.CreateSymbolicLink(bundle.InRootfs("/data"), "/x]:");
        bundle.AddMount("/data", "bind", "/usr", "bind", "ro").Args("sleep", "1000");
        using TestContainer container = new TestContainer(bundle).Started();
        Checkpoint(container, "refuse").ShouldFail(1, "/mounts/7: criu cannot be told of a mount at", "/x]:");
    }
}
