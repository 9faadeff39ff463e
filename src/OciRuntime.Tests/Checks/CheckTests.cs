using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Checks;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Checks;

/// <summary>`check` on hosts that lack something: this one, with that taken away from the process that asks.</summary>
public sealed class CheckTests
{
    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>The suite itself has containers made here.</summary>
    [Test]
    [NeedsMachine]
    public void Nothing_is_missing_where_containers_run()
    {
        JsonNode report = Ocirun.Run("check", "--format", "json").ShouldSucceed().Json;
        Find(report, "system calls", "ok").Should().Contain("that a launch is made of");
        Find(report, "new ones", "ok").Should().Contain("pid, network, mount");
        Find(report, "the program's seal", "ok").Should().Be("an overlay without copying");
        Find(report, "controllers", "ok").Should().Contain("memory");
        Ocirun.Run("check").ShouldSucceed().Lines[^1].Should().EndWith(", 0 missing");
    }

    [Test]
    [NeedsMachine]
    public void A_filter_that_denies_a_call_is_told_by_the_call()
    {
        using TestBundle bundle = Inside();
        bundle.Linux["seccomp"] = JsonNode.Parse("""
            { "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
              { "names": ["move_mount"], "action": "SCMP_ACT_ERRNO", "errnoRet": 38 },
              { "names": ["keyctl"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1 }] }
            """);
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        result.ExitCode.Should().Be(1, "{0}", result);
        Find(result.Json, "system calls", "missing").Should().EndWith("refuses move_mount (ENOSYS)");
        Find(result.Json, "session keyrings", "limited").Should().Contain("EPERM");
    }

    /// <summary>In a container of its own /run is the image's, and no cgroup is mounted or one that is read-only.</summary>
    [Test]
    [NeedsMachine]
    public void Read_only_cgroups_and_a_read_only_state_directory_are_found()
    {
        using TestBundle bundle = Inside();
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        result.ExitCode.Should().Be(1, "{0}", result);
        Find(result.Json, "delegation", "missing").Should().StartWith("/sys/fs/cgroup").And.EndWith("is not ours to write to");
        Find(result.Json, "directory", "missing").Should().EndWith("its file system is read-only");
        Find(result.Json, "proc in a user namespace", "limited").Should().StartWith("/proc/").And.EndWith(" are covered here");
    }

    [Test]
    [NeedsMachine]
    public void No_cgroups_at_all_are_found()
    {
        using TestBundle bundle = Inside();
        bundle.RemoveMount("/sys/fs/cgroup");
        using TestContainer container = new(bundle);
        Find(container.Run().Json, "layout", "missing").Should().Be("none is mounted at /sys/fs/cgroup");
    }

    [Test]
    [NeedsMachine]
    public void A_limit_of_namespaces_is_named_with_what_raises_it()
    {
        CommandResult result = Command.Run("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            $"echo 0 >/proc/sys/user/max_net_namespaces; exec {Ocirun.Binary.Path} check --format json");
        result.ExitCode.Should().Be(1, "{0}", result);
        JsonNode network = Finding(result.Json, "network");
        ((string?)network["found"]).Should().Contain("ENOSPC");
        ((string?)network["remedy"]).Should().StartWith("raise user.max_net_namespaces");
    }

    /// <summary>Of what the launches refuse, each in their words.</summary>
    [TestCase("chown 54321 {0}", "is not uid 0's alone (owner 54321, mode 0755)")]
    [TestCase("chmod 777 {0}", "is not uid 0's alone (owner 0, mode 0777)")]
    [TestCase("rmdir {0}; ln -s /nosuch/place {0}", "{0} is a symbolic link to what is not there")]
    [TestCase("rmdir {0}; touch {0}", "not a directory (ENOTDIR)")]
    [NeedsMachine]
    public void A_state_directory_that_is_refused_is_found(string change, string words)
    {
        using TestBundle bundle = new();
        string root = $"{bundle.Directory}/state";
        Directory.CreateDirectory(root);
        Command.Run("sh", "-ec", string.Format(change, root)).ShouldSucceed();
        CommandResult result = Ocirun.Run("--root", root, "check", "--format", "json");
        result.ExitCode.Should().Be(1, "{0}", result);
        Find(result.Json, "directory", "missing").Should().Contain(string.Format(words, root));
        Ocirun.Run("--root", root, "run", "--bundle", bundle.Save().Directory, "x").ExitCode.Should().NotBe(0);
    }

    [Test]
    [NeedsMachine]
    public void A_read_only_hierarchy_beside_the_others_is_found()
    {
        Requires.PathExists("/sys/fs/cgroup/unified/cgroup.procs", "cgroup v2 beside v1");
        CommandResult result = Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec",
            $"mount -o remount,bind,ro /sys/fs/cgroup/unified; exec {Ocirun.Binary.Path} check --format json");
        Find(result.Json, "delegation", "missing").Should().StartWith("/sys/fs/cgroup/unified").And.EndWith("is not ours to write to");
    }

    /// <summary>What the kernel refuses without a word, by what it is that it refuses.</summary>
    [TestCase("unshare --user {0}", "user", "map this user in its user namespace")]
    [TestCase("unshare --user {0}", "own id", "map this user in its user namespace")]
    [TestCase("setpriv --reuid 54321 --clear-groups prlimit --nproc=1 {0}", "user",
        "raise the limit on processes that is reached: RLIMIT_NPROC")]
    [TestCase("setpriv --reuid 54321 --clear-groups prlimit --nproc=9 {0}", "this process", "ulimit -u unlimited")]
    [NeedsMachine]
    public void What_is_refused_without_a_word_is_mended(string command, string name, string remedy)
    {
        Requires.UserNamespacesForAll();
        JsonNode report = Command.Run("sh", "-c", string.Format(command, $"{Ocirun.Binary.Path} check --format json")).Json;
        ((string?)Finding(report, name)["remedy"]).Should().StartWith(remedy);
        // Nobody is told to give ids to a user who only looks like another one.
        if (command.StartsWith("unshare"))
            report["findings"]!.AsArray().Should().NotContain(static one => (string?)one!["name"] == "/etc/subuid");
    }

    [Test]
    [NeedsMachine]
    public void A_full_state_directory_is_found()
    {
        CommandResult result = Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec", $"""
            mount -t tmpfs -o size=64k none /mnt
            {Ocirun.Binary.Path} --root /mnt/state check --format json
            """);
        Find(result.Json, "directory", "missing").Should().Be("/mnt/state, to be made in /mnt: its file system is full");
    }

    /// <summary>A file system that is bound into itself again and again: each time there are twice as many.</summary>
    [Test]
    [NeedsMachine]
    public void Mounts_are_counted_however_many_there_are()
    {
        CommandResult result = Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec", $"""
            mount -t tmpfs none /mnt
            for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do mkdir /mnt/$i; mount --rbind /mnt /mnt/$i; done
            exec {Ocirun.Binary.Path} check --format json
            """);
        string[] words = Find(result.Json, "mounts", "ok").Split(' ');
        int.Parse(words[0]).Should().BeGreaterThan(1 << 14).And.BeLessThan((1 << 14) + 1000);
        words[1..].Should().Equal("of", File.ReadAllText("/proc/sys/fs/mount-max").Trim());
    }

    [Test]
    [NeedsMachine]
    public void An_ordinary_user_is_told_what_he_lacks()
    {
        string programs = TestRun.NewDirectory("programs");
        File.WriteAllText($"{programs}/newuidmap", "");
        File.SetUnixFileMode($"{programs}/newuidmap", (UnixFileMode)0b111_101_101);
        CommandResult result = Command.Run("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "env", $"PATH={programs}",
            Ocirun.Binary.Path, "check", "--format", "json");
        Find(result.Json, "/etc/subuid", "limited").Should().Be("has no range of uid 54321");
        Find(result.Json, "newuidmap", "limited").Should().EndWith("has no rights: neither setuid root nor file capabilities");
        Find(result.Json, "newgidmap", "limited").Should().Be("is not in PATH");
        Find(result.Json, "criu", "limited").Should().Be("is not in PATH");
        Command.Run("setcap", "cap_setuid=ep", $"{programs}/newuidmap").ShouldSucceed();
        CommandResult mended = Command.Run("setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups", "env", $"PATH={programs}",
            Ocirun.Binary.Path, "check", "--format", "json");
        Find(mended.Json, "newuidmap", "ok").Should().EndWith("with file capabilities");
        Directory.Delete(programs, recursive: true);
    }

    [Test]
    [NeedsMachine]
    public void Helpers_that_can_gain_no_rights_are_told()
    {
        string[] user = ["--reuid", "54321", "--regid", "54321", "--clear-groups", "--no-new-privs"];
        CommandResult result = Command.Run("setpriv", [.. user, Ocirun.Binary.Path, "check", "--format", "json"]);
        Find(result.Json, "newuidmap", "limited").Should().EndWith("gets no rights: this process may not gain any (no_new_privs)");
        result = Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec", $"""
            mount -t tmpfs -o nosuid none /mnt
            cp "$(command -v newuidmap)" /mnt
            PATH=/mnt exec {Ocirun.Binary.Path} check --format json
            """);
        Find(result.Json, "newuidmap", "limited").Should().Be("/mnt/newuidmap is on a mount with nosuid: it gets no rights");
    }

    /// <summary>Its caller has taken something away, as a container of Docker's, a service or a shell does.</summary>
    [TestCase("without a user namespace", "limited", "this process does not have CAP_SYS_ADMIN, CAP_MKNOD",
        "setpriv --bounding-set=-sys_admin,-mknod --inh-caps=-sys_admin,-mknod {0}")]
    [TestCase("/proc", "missing", "no procfs is mounted there",
        "unshare --mount sh -ec 'mount -t tmpfs none /mnt; cp {1} /mnt; chroot /mnt {0}'")]
    [TestCase("/proc", "limited", "that of another pid namespace: processes have other numbers there", "unshare --pid --fork {0}")]
    [TestCase("this process", "limited", "it can have 20 files open", "ulimit -n 20; {0}")]
    [TestCase("this process", "limited", "it can write files of 51200 bytes at most", "ulimit -f 100; {0}")]
    [NeedsMachine]
    public void What_the_caller_has_taken_away_is_told(string name, string verdict, string found, string command)
    {
        string program = command.Contains("chroot") ? "/ocirun" : Ocirun.Binary.Path;
        CommandResult result = Command.Run("sh", "-c", string.Format(command, $"{program} check --format json", Ocirun.Binary.Path));
        Find(result.Json, name, verdict).Should().Be(found);
    }

    [Test]
    [NeedsMachine]
    public void A_limit_that_cannot_be_raised_is_told()
    {
        using TestBundle bundle = new();
        bundle.Process["rlimits"] = JsonNode.Parse("""
            [{ "type": "RLIMIT_CORE", "hard": 0, "soft": 0 }, { "type": "RLIMIT_NOFILE", "hard": 4294967296, "soft": 100 }]
            """);
        JsonNode report = Check(bundle);
        Find(report, "/process/rlimits/1", "missing").Should().Contain("set RLIMIT_NOFILE soft 100 hard 4294967296: ");
        report["findings"]!.AsArray().Should().NotContain(static one => (string?)one!["name"] == "/process/rlimits/0");
    }

    [Test]
    [NeedsMachine]
    public void A_score_that_cannot_be_had_is_told([Values(-600, 600)] int score, [Values] bool asGiven)
    {
        using TestBundle bundle = new();
        bundle.Process["oomScoreAdj"] = score;
        string[] command = [Ocirun.Binary.Path, "check", "--format", "json", "--bundle", bundle.Save().Directory];
        CommandResult result = asGiven ? Command.Run(command[0], command[1..])
            : Command.Run(Requires.Tool("setpriv"), ["--bounding-set=-sys_resource", .. command]);
        const string Pointer = "/process/oomScoreAdj";
        if (score > 0 || (asGiven && Requires.HasCapability(24)))
            result.Json["findings"]!.AsArray().Should().NotContain(static one => (string?)one!["name"] == Pointer);
        else
            Find(result.Json, Pointer, "missing").Should().EndWith("lowering it below what the caller has needs CAP_SYS_RESOURCE");
    }

    [Test]
    [NeedsMachine]
    public void All_that_a_bundle_lacks_is_told_at_once()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/data", "bind", "/nosuch/data", "rbind").AddMount("/more", "none", "nosuch", "bind")
            .AddHook("createRuntime", "/nosuch/hook").AddHook("poststop", "/etc/passwd");
        bundle.RemoveNamespace("network").AddNamespace("network", "/nosuch/ns");
        CommandResult result = Ocirun.Run("check", "--format", "json", "--bundle", bundle.Save().Directory);
        result.ExitCode.Should().Be(1, "{0}", result);
        int mounts = bundle.Mounts.Count;
        Find(result.Json, $"/mounts/{mounts - 2}/source", "missing").Should()
            .EndWith("source: no such file or directory (ENOENT)");
        Find(result.Json, $"/mounts/{mounts - 1}/source", "missing").Should().StartWith($"bind {bundle.Directory}/nosuch on /more: ");
        Find(result.Json, "/hooks/createRuntime/0/path", "missing").Should().Contain("ENOENT");
        Find(result.Json, "/hooks/poststop/0/path", "missing").Should().Contain("EACCES");
        Find(result.Json, $"/linux/namespaces/{bundle.Namespaces.Count - 1}/path", "missing").Should().StartWith("/nosuch/ns");
    }

    [Test]
    [NeedsMachine]
    public void A_bundle_that_starts_is_found_to()
    {
        using TestBundle bundle = new();
        Find(Ocirun.Run("check", "--format", "json", "--bundle", bundle.Save().Directory).ShouldSucceed().Json, "config.json", "ok")
            .Should().StartWith("nothing is known");
        bundle.Process["cwd"] = "relative";
        File.WriteAllText($"{bundle.Directory}/other.json", bundle.Config.ToJsonString());
        Find(Ocirun.Run("check", "--format", "json", "--bundle", bundle.Directory, "--config", "other.json").Json, "other.json", "missing")
            .Should().Contain("/process/cwd");
    }

    /// <summary>In an image whose programs can be told: nothing else can bring them.</summary>
    [TestCase("/nope", "missing", "/nope is not in the image")]
    [TestCase("nope", "missing",
        "nope is in none of the directories of PATH: /one/nope is not in the image, /bin/nope is not in the image")]
    [TestCase("/etc", "missing", "/etc is a directory")]
    [TestCase("/etc/passwd", "missing", "/etc/passwd may not be executed by anybody (mode 644)")]
    [TestCase("/loop/a", null, null)]
    [TestCase("/fifo", null, null)]
    [TestCase("/wraps", null, null)]
    [TestCase("/dangling", "missing", "/dangling is not in the image")]
    [TestCase("/script", "missing", "/script needs /nosuch/sh, which is not in the image")]
    [TestCase("/linked", "missing", "/linked needs /lib/ld-none.so, which is not in the image")]
    [TestCase("/foreign", "limited", "/foreign is a program for s390x")]
    [TestCase("/data/nope", null, null)]
    [TestCase("/through/nope", null, null)]
    [TestCase("/made/by/mount", null, null)]
    [TestCase("/bin/sh", null, null)]
    [TestCase("sh", null, null)]
    [NeedsMachine]
    public void What_cannot_be_executed_is_told(string program, string? verdict, string? found)
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("loop"));
        File.CreateSymbolicLink(bundle.InRootfs("loop/a"), "/loop/a");
        File.CreateSymbolicLink(bundle.InRootfs("dangling"), "/nowhere");
        File.CreateSymbolicLink(bundle.InRootfs("through"), "/data");
        foreach ((string name, byte[] content) in ((string, byte[])[])
            [("script", [.. "#!/nosuch/sh -e\necho no\n"u8]), ("linked", Elf(62, "/lib/ld-none.so")), ("foreign", Elf(22, "/lib/ld.so")),
            ("wraps", Wrapping())])
        {
            File.WriteAllBytes(bundle.InRootfs(name), content);
            File.SetUnixFileMode(bundle.InRootfs(name), (UnixFileMode)0b111_101_101);
        }
        Command.Run("mkfifo", "--mode=755", bundle.InRootfs("fifo")).ShouldSucceed();
        bundle.AddMount("/data", "bind", bundle.Directory, "rbind").AddMount("/made/by/mount", "bind", Ocirun.Binary.Path, "bind");
        bundle.Args(program).Process["env"] = TestBundle.Strings("PATH=/one:/bin");
        JsonNode report = Check(bundle);
        if (verdict is null) Find(report, "config.json", "ok").Should().StartWith("nothing is known");
        else Find(report, "/process/args/0", verdict).Should().Be(found);
        // A hook may bring it.
        bundle.AddHook("createContainer", "/bin/sh");
        Find(Check(bundle), "config.json", "ok").Should().StartWith("nothing is known");
    }

    [Test]
    [NeedsMachine]
    public void Hooks_in_the_container_are_looked_for_where_they_are_found()
    {
        using TestBundle bundle = new();
        bundle.AddHook("startContainer", "/nosuch/hook").AddHook("startContainer", "/bin/sh");
        Find(Check(bundle), "/hooks/startContainer/0/path", "missing").Should().Be("/nosuch/hook is not in the image");
        bundle.AddHook("createContainer", "/nosuch/hook").AddHook("createContainer", "/etc");
        JsonNode report = Check(bundle);
        Find(report, "/hooks/createContainer/0/path", "missing").Should().Contain("ENOENT");
        Find(report, "/hooks/createContainer/1/path", "missing").Should().Contain("EISDIR");
    }

    /// <summary>Nothing is mounted for it: a copy of the source that is attached nowhere is tried.</summary>
    [Test]
    [NeedsMachine]
    public void A_source_whose_ids_cannot_be_mapped_is_told()
    {
        using TestBundle bundle = new();
        bundle.AddMount("/able", "bind", bundle.Directory, "bind").AddMount("/unable", "bind", "/sys/kernel", "bind");
        foreach (JsonNode? mount in bundle.Mounts.TakeLast(2))
        {
            foreach (string maps in (string[])["uidMappings", "gidMappings"])
                mount![maps] = JsonNode.Parse("""[{ "containerID": 0, "hostID": 1000, "size": 1 }]""");
        }
        int last = bundle.Mounts.Count - 1;
        JsonNode report = Check(bundle);
        Find(report, $"/mounts/{last}", "missing").Should().Contain("a file system of type sysfs cannot be id-mapped by this kernel");
        report["findings"]!.AsArray().Should().NotContain(one => (string?)one!["name"] == $"/mounts/{last - 1}");
        Finding(report, "id-mapped mounts");
    }

    [Test]
    [NeedsMachine]
    public void Watches_that_are_used_up_are_told()
    {
        CommandResult result = Command.Run("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            $"echo 3 >/proc/sys/user/max_inotify_instances; exec {Ocirun.Binary.Path} check --format json");
        Find(result.Json, "inotify", "limited").Should().StartWith("3 more of ");
        result = Command.Run("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
            $"echo 0 >/proc/sys/user/max_inotify_watches; exec {Ocirun.Binary.Path} check --format json");
        Find(result.Json, "inotify", "limited").Should().Be("this user can watch no more files");
    }

    [Test]
    public void What_is_not_shown_is_not_taken_for_nothing()
    {
        Report report = new();
        LimitChecks.Add(report, "mounts", null, 100, "sysctl fs.mount-max", "mounts fail");
        report.Text().Should().Contain("mounts: cannot be told").And.NotContain("0 of 100");
    }

    [TestCase(79, Verdict.Ok)]
    [TestCase(80, Verdict.Limited)]
    [TestCase(100, Verdict.Missing)]
    public void A_limit_that_is_nearly_used_up_is_worth_a_word(long used, object verdict)
    {
        Report report = new();
        LimitChecks.Add(report, "mounts", used, 100, "sysctl fs.mount-max", "mounts fail");
        report.Verdict.Should().Be((Verdict)verdict);
        if (used > 79) report.Text().Should().Contain($"mounts: {used} of 100\n").And.Contain("mend: raise sysctl fs.mount-max\n");
    }

    // The program itself is what runs in the container, as root with all that a launch takes.
    private static TestBundle Inside() => new TestBundle().AddMount("/ocirun", "bind", Ocirun.Binary.Path, "bind", "ro")
        .Capabilities("CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID").Args("/ocirun", "--root", "/run/state", "check", "--format", "json");

    private static JsonNode Check(TestBundle bundle) =>
        Ocirun.Run("check", "--format", "json", "--bundle", bundle.Save().Directory).Json;

    // Its headers are where a sum with their size is a small number again.
    private static byte[] Wrapping()
    {
        byte[] elf = Elf(62, "/lib/ld-none.so");
        BitConverter.TryWriteBytes(elf.AsSpan(32), ulong.MaxValue - 7);
        return elf;
    }

    /// <summary>The headers of an ELF file for 64 bits that names a dynamic loader.</summary>
    private static byte[] Elf(ushort machine, string interpreter)
    {
        byte[] file = new byte[256];
        ((byte[])[0x7f, (byte)'E', (byte)'L', (byte)'F', 2, 1, 1]).CopyTo(file, 0);
        BitConverter.TryWriteBytes(file.AsSpan(16), (ushort)2);
        BitConverter.TryWriteBytes(file.AsSpan(18), machine);
        BitConverter.TryWriteBytes(file.AsSpan(32), 64UL);
        BitConverter.TryWriteBytes(file.AsSpan(56), (ushort)1);
        BitConverter.TryWriteBytes(file.AsSpan(64), 3);
        BitConverter.TryWriteBytes(file.AsSpan(72), 128UL);
        BitConverter.TryWriteBytes(file.AsSpan(96), (ulong)interpreter.Length + 1);
        System.Text.Encoding.ASCII.GetBytes(interpreter).CopyTo(file, 128);
        return file;
    }

    private static JsonNode Finding(JsonNode report, string name) =>
        report["findings"]!.AsArray().Single(one => (string?)one!["name"] == name)!;

    private static string Find(JsonNode report, string name, string verdict)
    {
        JsonNode finding = Finding(report, name);
        ((string?)finding["verdict"]).Should().Be(verdict, "{0}", finding.ToJsonString());
        return (string)finding["found"]!;
    }
}
