using System.Text.Json.Nodes;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>Nothing is granted that was not asked for.</summary>
public sealed class PrivilegeTests
{
    private static readonly string[] HookKinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"];

    /// <summary>GHSA-g54h-m393-cpwq: without a rule, and with a single allowing one, everything else is denied.</summary>
    [TestCase("absent")]
    [TestCase("empty")]
    [TestCase("one-allowed")]
    public void Devices_are_denied_by_default(string rules)
    {
        using TestBundle bundle = new TestBundle().Writable().WithCgroup().Capabilities("CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_RAWIO");
        if (rules == "absent")
        {
            bundle.Linux.Remove("resources");
        }
        else
        {
            bundle.Resources["devices"] = rules == "empty" ? new JsonArray()
                : new JsonArray(new JsonObject { ["allow"] = true, ["type"] = "c", ["major"] = 1, ["minor"] = 11, ["access"] = "rwm" });
        }
        // Made on the host, as an image may ship them: a disk, the memory, fuse. (tun is among the defaults, as with runc.)
        foreach ((string name, FilePermissions type, ulong device) in (ReadOnlySpan<(string, FilePermissions, ulong)>)
                 [("disk", FilePermissions.S_IFBLK, 0xfe00), ("mem", FilePermissions.S_IFCHR, 0x101),
                 ("fuse", FilePermissions.S_IFCHR, 0xae5)])
        {
            Libc.Check(Syscall.mknod(bundle.InRootfs(name), type | FilePermissions.DEFFILEMODE, device), "mknod");
        }
        bundle.Script("for d in disk mem fuse; do head -c1 /$d >/dev/null 2>/tmp/e && echo read $d; cat /tmp/e; done; "
            + "mknod /tmp/d b 254 0 && head -c 1 /tmp/d > /dev/null 2>&1 && echo read made; head -c1 /dev/zero | wc -c");
        bundle.Mounts.Add(new JsonObject { ["destination"] = "/tmp", ["type"] = "tmpfs", ["source"] = "tmpfs" });
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        result.Stdout.Should().NotContain("read ").And.EndWith("1\n");
        result.Stdout.Split('\n').Count(line => line.Contains("Operation not permitted", StringComparison.Ordinal)).Should()
            .Be(3, "{0}", result);
    }

    /// <summary>
    /// CVE-2025-23266: a privileged hook that inherited LD_PRELOAD of the image's environment ran the image's code as host root.
    /// </summary>
    [Test]
    public void Hooks_of_the_host_get_nothing_of_the_image()
    {
        string output = TestRun.NewPath("hooks");
        using (TestBundle bundle = new TestBundle().Env("LD_PRELOAD=/evil.so").Env("OCIRUN_TEST=container").Args("true"))
        {
            foreach (string kind in HookKinds)
                bundle.AddHook(kind, "/bin/sh", "-c", $"cat /proc/self/environ | tr '\\0' '\\n' >> {output}; echo end-{kind} >> {output}");
            bundle.AddHook("createRuntime", "/bin/sh", "-c", $"env >> {output}");
            bundle.Config["hooks"]!["createRuntime"]!.AsArray()[1]!["env"] = TestBundle.Strings("ONLY=this");
            using TestContainer container = new(bundle)
            {
                Options = new CommandOptions { Env = new Dictionary<string, string?> { ["SECRET"] = "of-the-caller" } },
            };
            container.Run().ShouldSucceed();
        }
        string text = File.ReadAllText(output);
        File.Delete(output);
        foreach (string kind in HookKinds) text.Should().Contain($"end-{kind}");
        text.Should().Contain("ONLY=this").And.Contain("SECRET=of-the-caller").And.NotContain("LD_PRELOAD").And.NotContain("OCIRUN_TEST");
    }

    /// <summary>CVE-2016-8867.</summary>
    [Test]
    public void An_ordinary_user_gets_neither_ambient_nor_inheritable_capabilities()
    {
        using TestBundle bundle = new TestBundle().User(1000, 1000).Script("grep -E '^Cap(Inh|Prm|Eff|Amb)|^NoNewPrivs' /proc/self/status");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Lines.Select(line => line.Replace("\t", "", StringComparison.Ordinal)).Should().BeEquivalentTo(
            "CapInh:0000000000000000", "CapPrm:0000000000000000", "CapEff:0000000000000000", "CapAmb:0000000000000000", "NoNewPrivs:1");
    }

    /// <summary>CVE-2022-29162, CVE-2022-27650, CVE-2025-27612: nothing is inheritable that was not listed so.</summary>
    [Test]
    public void Root_gets_no_inheritable_capabilities()
    {
        using TestBundle bundle = new TestBundle().Script("grep -E '^Cap(Inh|Amb|Bnd)' /proc/self/status");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Lines.Select(line => line.Replace("\t", "", StringComparison.Ordinal)).Should().BeEquivalentTo(
            "CapInh:0000000000000000", "CapAmb:0000000000000000", "CapBnd:0000000020000420");
    }

    /// <summary>The same of `exec --cap`, which runc 1.1.1 made inheritable, too.</summary>
    [Test]
    public void Capabilities_of_an_exec_are_not_inheritable()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "100");
        using TestContainer container = new(bundle);
        container.Started();
        container.ExecWith(["--cap", "CAP_NET_RAW"], "grep", "-E", "^Cap(Inh|Amb|Eff)", "/proc/self/status").ShouldSucceed().Lines
            .Select(static line => line.Replace("\t", "", StringComparison.Ordinal)).Should().BeEquivalentTo(
            "CapInh:0000000000000000", "CapAmb:0000000000000000", "CapEff:0000000020002420");
    }

    /// <summary>CVE-2016-3697: ids are numbers and are never looked up as names.</summary>
    [Test]
    public void Numbers_are_not_names()
    {
        using TestBundle bundle = new TestBundle().WriteFile("/etc/passwd", "1000:x:0:0::/root:/bin/sh\nroot:x:0:0::/root:/bin/sh\n")
            .User(1000, 1000).Script("id -u; id -g; echo $HOME");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Lines.Should().Equal("1000", "1000", "/");
    }

    /// <summary>CVE-2026-30892, CVE-2026-46680: nor do they become root's by a slip in reading them.</summary>
    [TestCase("1000")]
    [TestCase("1000:1000")]
    [TestCase("01000")]
    public void Numbers_of_an_exec_are_not_names(string user)
    {
        using TestBundle bundle = Sleeping();
        using TestContainer container = new(bundle);
        container.Started();
        container.ExecWith(["--user", user], "id", "-u").ShouldSucceed().Text.Should().Be("1000");
    }

    [TestCase("4294967296")]
    [TestCase("4294967295")]
    [TestCase("18446744073709551617")]
    [TestCase("-1")]
    [TestCase(":1000")]
    [TestCase("1000:")]
    [TestCase(" 1000")]
    [TestCase("1000x")]
    [TestCase("0x3e8")]
    [TestCase("1000:x")]
    [TestCase("user")]
    public void What_is_no_number_is_nobody_for_an_exec(string user)
    {
        using TestBundle bundle = Sleeping();
        using TestContainer container = new(bundle);
        container.Started();
        container.ExecWith([$"--user={user}"], "id", "-u").ShouldFail(255, "--user").Stdout.Should().BeEmpty();
    }

    /// <summary>Its passwd has names that are no user's number.</summary>
    private static TestBundle Sleeping() => new TestBundle().WriteFile("/etc/passwd",
        "1000:x:0:0::/root:/bin/sh\n4294967296:x:0:0::/root:/bin/sh\nuser:x:0:0::/root:/bin/sh\n").Args("sleep", "100");

    [TestCase("4294967296")]
    [TestCase("-1")]
    [TestCase("4294967295")]
    [TestCase("\"0\"")]
    [TestCase("0.5")]
    public void User_ids_that_are_none(string uid)
    {
        using TestBundle bundle = new TestBundle().Args("id", "-u");
        bundle.Process["user"] = JsonNode.Parse($$"""{ "uid": {{uid}}, "gid": 0 }""");
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "process/user").Stdout.Should().BeEmpty();
    }

    /// <summary>
    /// CVE-2016-9962: a container's root looks into a process that is on its way into the same pid namespace. Both have the same ids and
    /// capabilities, so that nothing but "not dumpable" stands between them.
    /// </summary>
    [Test]
    public void Container_root_cannot_look_into_the_runtime()
    {
        using TestBundle attackers = new TestBundle().Script(
            "echo ready; while :; do for p in /proc/[0-9]*; do read name < $p/comm 2>/dev/null || continue; case $name in ocirun*) echo "
            + "seen $p; "
            + "for f in fd root cwd exe environ maps mem auxv; do "
            + "case $f in fd) for d in $p/fd/*; do readlink $d >/dev/null 2>&1 && echo GOT $d; done;; "
            + "root|cwd|exe) readlink $p/$f >/dev/null 2>&1 && echo GOT $p/$f;; "
            + "*) [ -n \"$(head -c 1 $p/$f 2>/dev/null | od -An)\" ] && echo GOT $p/$f;; esac; done;; esac; done; echo pass; done");
        using TestContainer attacker = new(attackers);
        attacker.Started();
        attacker.WaitOutput("ready");
        // The second of two ends was begun after the question.
        string watched =
            $"passes() {{ grep -c ^pass /proc/{attacker.InitPid}/fd/1; }}; end=$(($(passes) + 2)); until [ $(passes) -ge $end ]; do sleep "
            + $"0.01; done";
        for (int i = 0; i < 5; i++)
        {
            using TestBundle bundle = new TestBundle().Args("true").AddNamespace("pid", $"/proc/{attacker.InitPid}/ns/pid")
                .AddHook("createRuntime", "/bin/sh", "-c", watched);
            using TestContainer victim = new(bundle);
            victim.Create().ShouldSucceed();
            Command.Run("sh", "-c", watched).ShouldSucceed();
        }
        attacker.Output.Should().Contain("seen /proc/").And.NotContain("GOT");
    }
}
