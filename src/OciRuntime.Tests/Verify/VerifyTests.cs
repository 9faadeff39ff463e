using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Rootless;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>`verify` finds what is not as promised, by name, and nothing where all is.</summary>
public sealed class VerifyTests
{
    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>What engines and the specification's sections ask for, before and after the start.</summary>
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.OnThisMachine))]
    public void Nothing_is_broken_of_what_is_made_as_it_should_be(string fixture)
    {
        using FixtureBundle prepared = new(fixture);
        prepared.Bundle.Process["args"] = TestBundle.Strings("/bin/sleep", "1000");
        TestContainer container = prepared.Created();
        if (!prepared.IsOnTheHost)
        {
            // Who is root of a user namespace of his own only may not look into another one's; root of the host may.
            Verified.AllHeld(Ocirun.Run("--root", container.StateRoot, "verify", "--format", "json", container.Id));
            return;
        }
        AllHeld(container);
        container.Start().ShouldSucceed();
        // Its filter has no call to sleep with.
        if (fixture != "kitchen-sink") AllHeld(container);
    }

    [Test]
    public void Nothing_is_broken_in_pure_v2()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle, Wrapped.PureV2).Started();
        AllHeld(container);
        Outcome(container, "/linux/resources/devices").Should().Be("held");
    }

    [Test]
    public void Nothing_is_broken_in_a_user_namespace()
    {
        using TestBundle bundle = new TestBundle().Script("sleep 1000 & unshare -U sleep 1000 & wait").WithUserNamespace().WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 2, "two processes");
        JsonNode report = AllHeld(container);
        ((int)report["processes"]!).Should().Be(3);
        Outcome(container, "/linux/uidMappings").Should().Be("held");
    }

    /// <summary>From outside, by whoever is in the container's mount namespace with all rights.</summary>
    [TestCase("/mounts/1", "mount -o remount,bind,suid /dev")]
    [TestCase("/mounts/3", "umount /dev/shm")]
    [TestCase("/mounts/3", "umount /dev/shm && mount -t tmpfs -o nosuid,noexec,nodev,size=128m shm /dev/shm")]
    [TestCase("/mounts/3", "mount -t tmpfs none /dev/shm")]
    [TestCase("/mounts/5", "umount -l /sys && mount -t tmpfs -o ro,nosuid,nodev,noexec sysfs /sys")]
    [TestCase("/mounts/7", "mount --bind /bin /data")]
    [TestCase("/mounts/8", "mount -o remount,bind,rw /fixed")]
    [TestCase("/root/readonly", "mount -o remount,bind,rw /")]
    [TestCase("/linux/rootfsPropagation", "mount --make-shared /")]
    [TestCase("/linux/maskedPaths/3", "umount /proc/keys")]
    [TestCase("/linux/maskedPaths/8", "umount /sys/firmware")]
    [TestCase("/linux/maskedPaths/3", "mount --bind /proc/version /proc/keys")]
    [TestCase("/linux/readonlyPaths/3", "mount -o remount,bind,rw /proc/sys")]
    [TestCase("/linux/devices", "mknod /dev/sda b 8 0")]
    [TestCase("", "rm /dev/null && mknod /dev/null c 1 1")]
    public void A_mount_that_is_changed_from_outside_is_named(string pointer, string command)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.AddMount("/data", "bind", bundle.Directory, "rbind").AddMount("/fixed", "bind", bundle.Directory, "rbind", "ro");
        using TestContainer container = new TestContainer(bundle).Started();
        AllHeld(container);
        InMountNamespace(container, command);
        Outcome(container, pointer).Should().Be("broken");
        container.Invoke("verify").ExitCode.Should().Be(1);
    }

    /// <summary>The container itself may have done it.</summary>
    [Test]
    public void What_the_container_may_change_is_a_drift()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().Capabilities("CAP_SYS_ADMIN", "CAP_MKNOD");
        using TestContainer container = new TestContainer(bundle).Started();
        container.Exec("umount", "/dev/shm").ShouldSucceed();
        container.Exec("umount", "/proc/keys").ShouldSucceed();
        container.Exec("hostname", "another").ShouldSucceed();
        container.Exec("mknod", "/dev/sda", "b", "8", "0").ShouldSucceed();
        foreach (string pointer in (string[])["/mounts/3", "/linux/maskedPaths/3", "/hostname", "/linux/devices"])
            Outcome(container, pointer).Should().Be("drifted", pointer);
        container.Invoke("verify").ShouldSucceed().Stdout.Should().Contain("/hostname: set the hostname to ocirun");
    }

    [Test]
    public void Settings_of_the_kernel_are_read_inside()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Config["domainname"] = "example";
        bundle.Linux["sysctl"] = JsonNode.Parse("""{ "net.ipv4.ip_forward": "1", "kernel.msgmax": "4096" }""");
        using TestContainer container = new TestContainer(bundle).Started();
        AllHeld(container);
        string[] enter = ["-t", container.InitPid.ToString(), "--uts", "--ipc", "--net", "sh", "-c"];
        Command.Run(Requires.Tool("nsenter"), [.. enter, "hostname other; domainname other"]).ShouldSucceed();
        Command.Run(Requires.Tool("nsenter"), [.. enter, "echo 0 >/proc/sys/net/ipv4/ip_forward; echo 8192 >/proc/sys/kernel/msgmax"])
            .ShouldSucceed();
        string[] pointers = ["/hostname", "/domainname", "/linux/sysctl/net.ipv4.ip_forward", "/linux/sysctl/kernel.msgmax"];
        foreach (string pointer in pointers) Outcome(container, pointer).Should().Be("broken", pointer);
    }

    /// <summary>The kernel shows these in the container's user namespace only.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void Settings_of_a_user_namespace_are_read_inside(bool asRoot)
    {
        using OrdinaryUser? user = asRoot ? null : OrdinaryUser.WithoutRanges();
        using TestBundle bundle = user?.Bundle().AddNamespace("network") ?? new TestBundle().WithUserNamespace().WithCgroup();
        bundle.Args("sleep", "1000").Linux["sysctl"] =
            JsonNode.Parse("""{ "net.ipv4.ping_group_range": "0 0", "user.max_ipc_namespaces": "7", "net.ipv4.ip_forward": "1" }""");
        using TestContainer container = (user?.Container(bundle) ?? new(bundle)).Started();
        string[] pointers =
        [
            "/hostname", "/linux/sysctl/net.ipv4.ping_group_range", "/linux/sysctl/user.max_ipc_namespaces",
            "/linux/sysctl/net.ipv4.ip_forward",
        ];
        foreach (string pointer in pointers) Outcome(container, pointer).Should().Be("held", pointer);
        Command.Run(Requires.Tool("nsenter"), "-t", container.InitPid.ToString(), "--user", "--uts", "--net", "sh",
            "-ec", """
            hostname other
            cd /proc/sys
            # Where there is a second group.
            echo 1 0 >net/ipv4/ping_group_range || true
            echo 8 >user/max_ipc_namespaces
            echo 0 >net/ipv4/ip_forward
            """).ShouldSucceed();
        foreach (string pointer in pointers.Where(pointer => asRoot || !pointer.Contains("ping")))
            Outcome(container, pointer).Should().Be("broken", pointer);
    }

    [Test]
    public void A_limit_that_is_changed_is_a_drift_and_one_that_is_gone_is_broken()
    {
        Requires.V1Controller("memory");
        Requires.V1Controller("pids");
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Resources["memory"] = JsonNode.Parse("""{ "limit": 67108864 }""");
        bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 100 }""");
        using TestContainer container = new TestContainer(bundle).Started();
        AllHeld(container);
        container.Invoke("update", "--memory", "134217728").ShouldSucceed();
        Outcome(container, "/linux/resources/memory/limit").Should().Be("drifted");
        File.WriteAllText($"{container.Init.CgroupDirectory("pids")}/pids.max", "max");
        Outcome(container, "/linux/resources/pids/limit").Should().Be("broken");
        Requires.V1Controller("devices");
        File.WriteAllText($"{container.Init.CgroupDirectory("devices")}/devices.allow", "b 8:0 r");
        Outcome(container, "/linux/resources/devices").Should().Be("drifted");
        File.WriteAllText($"{container.Init.CgroupDirectory("devices")}/devices.allow", "a");
        Outcome(container, "/linux/resources/devices").Should().Be("broken");
    }

    [Test]
    public void A_device_program_that_is_taken_away_is_named()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle, Wrapped.PureV2).Started();
        using OciRuntime.Linux.Fd cgroup = OciRuntime.Linux.Fd.Open(CgroupHost.V2MountPoint + container.Init.Cgroups.First(
            static entry => entry.Hierarchy == 0).Path, OciRuntime.Linux.Files.O_RDONLY, "open the cgroup");
        uint[] ids = new uint[64];
        OciRuntime.Linux.Bpf.QueryDevices(cgroup.Number, ids).Should().Be(1);
        using OciRuntime.Linux.Fd program = new((int)OciRuntime.Linux.Bpf.OpenProgram(ids[0]));
        OciRuntime.Linux.Bpf.DetachDevice(cgroup.Number, program.Number).Should().Be(0);
        Outcome(container, "/linux/resources/devices").Should().Be("broken");
    }

    /// <summary>A process that was put into the cgroup has nothing of the container.</summary>
    [Test]
    public void A_stranger_in_the_cgroup_is_named()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        using RunningCommand stranger = Command.Start("sleep", "1000");
        foreach (string directory in Journal(container, "cgroupDirectories"))
            File.WriteAllText($"{directory}/cgroup.procs", stranger.Pid.ToString());
        JsonNode report = Verify(container);
        JsonNode[] about = [.. report["findings"]!.AsArray().Where(one => (int?)one!["pid"] == stranger.Pid).Select(static one => one!)];
        about.Where(static one => (string?)one["outcome"] == "broken").Select(static one => (string)one["subject"]!).Should()
            .Contain(["namespaces", "descriptors"]);
        about.Where(static one => (string?)one["outcome"] == "drifted").Select(static one => (string)one["pointer"]!).Should()
            .Contain(["/process/capabilities", "/process/noNewPrivileges"], "it has entered, and more than was promised");
        stranger.Kill();
    }

    /// <summary>What was never applied: the record promises what the container was not made with.</summary>
    [TestCase("/linux/namespaces/0", """{ "linux": { "namespaces": [{ "type": "cgroup" }, { "type": "mount" }] } }""")]
    [TestCase("/linux/maskedPaths/0", """{ "linux": { "maskedPaths": ["/proc/cpuinfo"] } }""")]
    [TestCase("/linux/readonlyPaths/0", """{ "linux": { "readonlyPaths": ["/dev/shm"] } }""")]
    [TestCase("/linux/devices/0", """{ "linux": { "devices": [{ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229 }] } }""")]
    [TestCase("/process/capabilities", """{ "process": { "capabilities": { "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"] } } }""")]
    [TestCase("/process/user", """{ "process": { "user": { "uid": 5, "gid": 5 } } }""")]
    [TestCase("/process/oomScoreAdj", """{ "process": { "oomScoreAdj": 900 } }""")]
    [TestCase("/process/rlimits/0", """{ "process": { "rlimits": [{ "type": "RLIMIT_NOFILE", "hard": 512, "soft": 512 }] } }""")]
    [TestCase("/hostname", """{ "hostname": "other" }""")]
    [TestCase("/linux/memoryPolicy", """{ "linux": { "memoryPolicy": { "mode": "MPOL_BIND", "nodes": "0" } } }""")]
    public void What_was_never_applied_is_named(string pointer, string promised)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        Promise(container, promised);
        Outcome(container, pointer).Should().Be("broken");
    }

    [TestCase("""{ "mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"] }""")]
    [TestCase("""{ "mode": "MPOL_PREFERRED", "nodes": "0" }""")]
    [TestCase("""{ "mode": "MPOL_PREFERRED", "nodes": "" }""")]
    [TestCase("""{ "mode": "MPOL_PREFERRED_MANY", "nodes": "0" }""")]
    public void The_memory_policy_is_read_back(string policy)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Linux["memoryPolicy"] = JsonNode.Parse(policy);
        using TestContainer container = new TestContainer(bundle).Started();
        Outcome(container, "/linux/memoryPolicy").Should().Be("held");
        Promise(container, """{ "linux": { "memoryPolicy": { "mode": "MPOL_BIND", "nodes": "0" } } }""");
        Outcome(container, "/linux/memoryPolicy").Should().Be("drifted", "the program may have changed it");
    }

    /// <summary>
    /// Who may open /dev/fuse can have its environment answered by a program that never answers, and hide the node from whoever looks.
    /// </summary>
    [TestCase("""[{ "allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw" }]""", "unchecked")]
    [TestCase("""[{ "allow": true }, { "allow": false, "type": "c", "major": 10, "minor": 229, "access": "rwm" }]""", "held")]
    [TestCase("[]", "held")]
    public void Memory_is_not_read_that_programs_of_the_container_may_serve(string rules, string outcome)
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Resources["devices"] = JsonNode.Parse(rules);
        using TestContainer container = new TestContainer(bundle).Started();
        Outcome(container, "/process/env").Should().Be(outcome);
    }

    [Test]
    public void CPUs_are_compared_of_those_who_have_entered()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Process["execCPUAffinity"] = JsonNode.Parse("""{ "final": "0" }""");
        using TestContainer container = new TestContainer(bundle).Started();
        container.StartExec([], "sleep", "1000");
        const string Pointer = "/process/execCPUAffinity/final";
        Eventually.True(() => (int)Verify(container)["processes"]! == 2, "two processes");
        Outcome(container, Pointer).Should().Be("held");
        int entered = container.Invoke("ps", "--format", "json").Json.AsArray().Select(static pid => (int)pid!)
            .Single(pid => pid != container.InitPid);
        Command.Run(Requires.Tool("taskset"), "-pc", "1", entered.ToString()).ShouldSucceed();
        JsonNode finding = Verify(container)["findings"]!.AsArray().Single(one => (string?)one!["pointer"] == Pointer)!;
        ((string?)finding["outcome"], (int?)finding["pid"]).Should().Be(("drifted", entered));
    }

    [TestCase("data0", "data0")]
    [TestCase("data%d", "data0")]
    public void A_network_device_that_is_gone_is_named(string promised, string inside)
    {
        using VethPair pair = new();
        using TestBundle bundle = new TestBundle().Args("sleep", "1000");
        bundle.Linux["netDevices"] = new JsonObject { [pair.Name] = new JsonObject { ["name"] = promised } };
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        Outcome(container, $"/linux/netDevices/{pair.Name}").Should().Be("held");
        Command.Run("nsenter", "--net", "--target", $"{container.InitPid}", "ip", "link", "delete", inside).ShouldSucceed();
        Outcome(container, $"/linux/netDevices/{pair.Name}").Should().Be("broken");
        container.Start().ShouldSucceed();
        Outcome(container, $"/linux/netDevices/{pair.Name}").Should().Be("drifted", "whoever has the other end may have removed it");
    }

    [Test]
    public void A_session_keyring_that_was_never_made_is_named()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000");
        using TestContainer with = new(bundle), without = new(bundle);
        with.Create().ShouldSucceed();
        Keyring(with).Should().Be("unchecked", "there is one of the name, and nobody shows whose it is");
        without.Create("--no-new-keyring").ShouldSucceed();
        string journal = $"{without.StateRoot}/{without.Id}/state.json";
        File.WriteAllText(journal, File.ReadAllText(journal).Replace("\"keyring\":false", "\"keyring\":true"));
        Keyring(without).Should().Be("broken");
    }

    [Test]
    public void A_filter_that_was_never_loaded_is_named()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        Promise(container, Seccomp("mkdir"));
        Found(Verify(container), "/linux/seccomp").Should().BeEquivalentTo("broken", "unchecked");
    }

    [Test]
    public void Seccomp_filters_are_compared_instruction_by_instruction()
    {
        using TestBundle bundle = new TestBundle().Script("sleep 1000 & wait").WithCgroup();
        bundle.Linux["seccomp"] = JsonNode.Parse(Seccomp("mkdir"))!["linux"]!["seccomp"]!.DeepClone();
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => ProcessTree.ChildrenOf(container.InitPid).Count == 1, "a child");
        Found(Verify(container), "/linux/seccomp").Should().BeEquivalentTo("held", "unchecked");
        Found(Verify(container, "--attach"), "/linux/seccomp").Should().BeEquivalentTo("held", "held");
        container.Init.Status("TracerPid").Should().Be("0");
        Promise(container, Seccomp("rmdir"));
        Found(Verify(container, "--attach"), "/linux/seccomp").Should().BeEquivalentTo("held", "broken", "broken");
    }

    /// <summary>The kernel shows a process as a zombie whose first thread has ended, and others run the program.</summary>
    [Test]
    public void A_process_whose_first_thread_has_ended_is_looked_at([Values] bool isFirst)
    {
        using TestBundle bundle = new TestBundle().RunProbe("headless").WithCgroup();
        if (!isFirst) bundle.Script("probe headless & exec sleep 1000");
        using TestContainer container = new TestContainer(bundle).Started();
        int headless = isFirst ? container.InitPid : 0;
        Eventually.True(() => isFirst || (headless = ProcessTree.ChildrenOf(container.InitPid).SingleOrDefault()) != 0, "a child");
        Eventually.True(() => ProcessTree.IsZombie(headless), "the end of its first thread");
        ((int)Verify(container)["processes"]!).Should().Be(isFirst ? 1 : 2);
        Outcomes(container, headless).Should().BeEmpty();
        Promise(container, """{ "process": { "capabilities": { "bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"] } } }""");
        Outcomes(container, headless).Should().Contain(("/process/capabilities", "broken"));
    }

    /// <summary>They are the first process's children by then, as its own are.</summary>
    [Test]
    public void What_an_exec_with_other_rights_leaves_behind_is_a_drift()
    {
        using TestBundle bundle =
            new TestBundle().Script("sleep 1001 & (setsid sleep 1002 &) ; exec sleep 1000").User(1000, 1000).WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => Sleeping(container, "1001") != 0 && Sleeping(container, "1002") != 0, "its children");
        string note = $"{container.StateRoot}/{container.Id}/other-rights";
        container.Exec("true").ShouldSucceed();
        container.StartExec([], "sh", "-c", "(sleep 1004 &) ; sleep 1005");
        Eventually.True(() => Sleeping(container, "1004") != 0, "a process that the first one has adopted");
        string same = $"{bundle.Directory}/process.json";
        bundle.Args("true");
        File.WriteAllText(same, bundle.Process.ToJsonString());
        container.Call("exec", "--process", same, container.Id).ShouldSucceed();
        File.Exists(note).Should().BeFalse("these had the same rights");
        Promise(container, """{ "process": { "user": { "uid": 5, "gid": 5 } } }""");
        Outcomes(container, Sleeping(container, "1002")).Should().Contain(("/process/user", "broken"), "nobody else can have made it");
        Outcomes(container, Sleeping(container, "1004")).Should().Contain(("/process/user", "drifted"), "its session is that of an exec");
        File.Exists(note).Should().BeFalse();

        container.ExecWith(["--user", "0:0", "--cap", "CAP_SYS_ADMIN"], "sh", "-c", "sleep 1003 >/dev/null 2>&1 </dev/null &")
            .ShouldSucceed();
        File.Exists(note).Should().BeTrue();
        Eventually.True(() => Sleeping(container, "1003") != 0, "what it leaves behind");
        int left = Sleeping(container, "1003");
        ProcessTree.ChildrenOf(container.InitPid).Should().Contain(left);
        Outcomes(container, left).Should().Contain([("/process/user", "drifted"), ("/process/capabilities", "drifted")])
            .And.NotContain(static one => one.Outcome == "broken");
        Outcomes(container, Sleeping(container, "1002")).Should().Contain(("/process/user", "drifted"), "it may be such a one, too");
        Outcomes(container, Sleeping(container, "1001")).Should().Contain(("/process/user", "broken"), "it is in the first one's session");
        Outcomes(container, container.InitPid).Should().Contain(("/process/user", "broken"));
    }

    /// <summary>Which takes no capability.</summary>
    [TestCase("", false, "held")]
    [TestCase("", true, "unchecked")]
    [TestCase("sleep 1000 & ", true, "held")]
    public void Nothing_is_broken_where_the_program_has_made_a_user_namespace(string before, bool inUserNamespace, string map)
    {
        using TestBundle bundle = new TestBundle().User(1000, 1000).WithCgroup().Script(
            before + "exec unshare -r -m -u -n sh -c 'hostname other; : >/dev/shm/ready; exec sleep 1000'");
        if (inUserNamespace) bundle.WithUserNamespace();
        bundle.Linux["sysctl"] = JsonNode.Parse("""{ "net.ipv4.icmp_echo_ignore_all": "1" }""");
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => File.Exists($"/proc/{container.InitPid}/root/dev/shm/ready"), "the program's own namespaces");
        JsonArray findings = Verify(container)["findings"]!.AsArray();
        findings.Where(static one => (string?)one!["outcome"] == "broken")
            .Select(static one => one!.ToJsonString()).Should().BeEmpty();
        Outcome(container, "/process/capabilities").Should().Be("held");
        Outcome(container, "/process/user").Should().Be(map);
        if (inUserNamespace) Outcome(container, "/linux/uidMappings").Should().Be(map);
        foreach (string pointer in (string[])["/hostname", "/linux/sysctl/net.ipv4.icmp_echo_ignore_all"])
            Outcome(container, pointer).Should().Be("drifted", pointer);
        Promise(container, """{ "process": { "user": { "uid": 5, "gid": 5 } } }""");
        Outcome(container, "/process/user").Should().Be(map == "held" ? "broken" : map);
    }

    /// <summary>In a user namespace it may be; else if the runtime has no CAP_SYS_RESOURCE.</summary>
    [Test]
    public void A_score_that_may_be_lowered_again_is_a_drift([Values] bool inUserNamespace)
    {
        using TestBundle bundle =
            new TestBundle().Script("echo 300 >/proc/self/oom_score_adj; : >/dev/shm/done; exec sleep 1000").WithCgroup();
        bundle.Process["oomScoreAdj"] = 500;
        if (inUserNamespace) bundle.WithUserNamespace();
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => File.Exists($"/proc/{container.InitPid}/root/dev/shm/done"), "the attempt");
        bool isLower = container.Proc("oom_score_adj").Trim() == "300";
        if (inUserNamespace) isLower.Should().BeTrue();
        Outcome(container, "/process/oomScoreAdj").Should().Be(isLower ? "drifted" : "held");
    }

    [Test]
    public void Settings_are_compared_as_the_kernel_keeps_them()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Linux["sysctl"] = JsonNode.Parse("""
            { "net.ipv4.ip_local_reserved_ports": "30001,30000,40000", "net.ipv4.route.flush": "1", "kernel.msgmax": "010000" }
            """);
        using TestContainer container = new TestContainer(bundle).Started();
        AllHeld(container);
        Outcome(container, "/linux/sysctl/net.ipv4.ip_local_reserved_ports").Should().Be("held");
        Outcome(container, "/linux/sysctl/kernel.msgmax").Should().Be("held");
        Outcome(container, "/linux/sysctl/net.ipv4.route.flush").Should().Be("unchecked", "nobody may read it");
    }

    [Test]
    public void Settings_in_a_namespace_that_others_are_in_may_be_theirs([Values] bool isJoined)
    {
        const string Pointer = "/linux/sysctl/net.ipv4.ip_forward";
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        bundle.Linux["sysctl"] = JsonNode.Parse("""{ "net.ipv4.ip_forward": "1" }""");
        using RunningCommand? owner = isJoined ? Command.Start("unshare", "--net", "sleep", "1000") : null;
        if (owner is not null)
        {
            Eventually.True(() => ProcessTree.CommandLine(owner.Pid) == "sleep 1000", "a network namespace");
            bundle.AddNamespace("network", $"/proc/{owner.Pid}/ns/net");
        }
        using TestContainer container = new TestContainer(bundle).Started();
        string[] enter = ["-t", container.InitPid.ToString(), "--net"];
        using RunningCommand? guest = isJoined ? null : Command.Start("nsenter", [.. enter, "sleep", "1000"]);
        if (guest is not null) Eventually.True(() => ProcessTree.CommandLine(guest.Pid) == "sleep 1000", "a guest");
        Command.Run("nsenter", [.. enter, "sh", "-c", "echo 0 >/proc/sys/net/ipv4/ip_forward"]).ShouldSucceed();
        Outcome(container, Pointer).Should().Be("drifted");
        guest?.Kill();
        if (guest is not null) Eventually.True(() => Outcome(container, Pointer) == "broken", "the guest's end");
        owner?.Kill();
    }

    /// <summary>Each of these waits for its child, and cannot be stopped meanwhile.</summary>
    [Test]
    [MeasuresTime]
    public void Processes_that_cannot_be_stopped_do_not_hold_it_up()
    {
        using TestBundle bundle = new TestBundle().RunProbe("vforks", "40").WithCgroup();
        bundle.Linux["seccomp"] = JsonNode.Parse(Seccomp("mkdir"))!["linux"]!["seccomp"]!.DeepClone();
        using TestContainer container = new TestContainer(bundle).Started();
        Eventually.True(() => ProcessTree.DescendantsOf(container.InitPid).Count == 80, "a child of each child");
        long begin = Environment.TickCount64;
        JsonNode report = Verify(container, "--attach");
        (Environment.TickCount64 - begin).Should().BeLessThan(20_000);
        JsonNode?[] found = [.. report["findings"]!.AsArray().Where(static one => (string?)one!["pointer"] == "/linux/seccomp")];
        found.Where(static one => ((string?)one!["found"] ?? "").Contains("were not looked at: 10 s had gone by")).Should().ContainSingle();
        found.Should().NotContain(static one => (string?)one!["outcome"] == "broken");
        container.Init.Status("TracerPid").Should().Be("0");
    }

    [Test]
    public void Who_has_nothing_to_verify_gets_another_exit_code()
    {
        Ocirun.Run("verify", "no-such").ExitCode.Should().Be(2);
        using TestContainer container = new(new TestBundle().Args("true"));
        container.Run("--keep").ShouldSucceed();
        CommandResult stopped = container.Invoke("verify");
        stopped.ExitCode.Should().Be(2, "{0}", stopped);
        container.Bundle.Dispose();
    }

    [Test]
    public void All_shows_what_is_held()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        using TestContainer container = new TestContainer(bundle).Started();
        container.Invoke("verify").ShouldSucceed().Stdout.Should().NotContain("  held");
        container.Invoke("verify", "--all").ShouldSucceed().Stdout.Should()
            .Contain("  held      /linux/maskedPaths/3: /proc/keys hidden");
        JsonNode report = container.Invoke("verify", "--format", "json").ShouldSucceed().Json;
        (report["version"]!.GetValue<int>(), (string?)report["status"], (string?)report["outcome"]).Should()
            .Be((1, "running", "unchecked"));
    }

    private static string Seccomp(string denied) => $$"""
        { "linux": { "seccomp": {
          "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["{{denied}}"], "action": "SCMP_ACT_ERRNO" }] } } }
        """;

    private static void Promise(TestContainer container, string promised) => Verified.Promise(container, promised);

    private static JsonNode AllHeld(TestContainer container) => Verified.AllHeld(container.Invoke("verify", "--format", "json"));

    private static JsonNode Verify(TestContainer container, params string[] options)
    {
        CommandResult result = container.Invoke("verify", ["--format", "json", .. options]);
        result.ExitCode.Should().BeLessThan(2, "{0}", result);
        return result.Json;
    }

    private static string Outcome(TestContainer container, string pointer) => Verified.Worst(container, pointer);

    private static string[] Found(JsonNode report, string pointer) =>
        [.. report["findings"]!.AsArray().Where(one => (string?)one!["pointer"] == pointer).Select(static one => (string)one!["outcome"]!)];

    /// <summary>What is not held of a process.</summary>
    private static (string Pointer, string Outcome)[] Outcomes(TestContainer container, int pid) =>
        [.. Verify(container)["findings"]!.AsArray().Where(one => (int?)one!["pid"] == pid)
            .Select(static one => ((string)one!["pointer"]!, (string)one["outcome"]!))];

    /// <summary>The one that sleeps for so long.</summary>
    private static int Sleeping(TestContainer container, string seconds) =>
        ProcessTree.DescendantsOf(container.InitPid).SingleOrDefault(pid => ProcessTree.CommandLine(pid) == $"sleep {seconds}");

    private static string Keyring(TestContainer container) => (string)Verify(container)["findings"]!.AsArray()
        .Single(static one => (string?)one!["promise"] == "a session keyring of its own")!["outcome"]!;

    private static IEnumerable<string> Journal(TestContainer container, string field) =>
        JsonNode.Parse(File.ReadAllText($"{container.StateRoot}/{container.Id}/state.json"))![field]!.AsArray()
            .Select(static one => (string)one!);

    private static void InMountNamespace(TestContainer container, string command) => Command.Run(
        Requires.Tool("nsenter"), "-t", container.InitPid.ToString(), "--mount", "--pid", "--root", "/bin/sh", "-c", command)
        .ShouldSucceed();
}
