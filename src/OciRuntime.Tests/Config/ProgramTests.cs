using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>`process.args`, `env` and `cwd`.</summary>
public sealed class ProgramTests
{
    private static string[] Output(TestBundle bundle, params string[] args)
    {
        using TestContainer container = new(bundle.Args(args));
        return container.Run().ShouldSucceed().Lines;
    }

    private static void SetEnv(TestBundle bundle, params string[] env) => bundle.Process["env"] = TestBundle.Strings(env);

    [Test]
    public void A_name_without_a_slash_is_looked_up_in_the_containers_path()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/first/tool", "#!/bin/sh\necho first", 0b110_100_100)
            .WriteFile("/second/tool", "#!/bin/sh\necho second $0", 0b111_101_101)
            .WriteFile("/third/tool", "#!/bin/sh\necho third", 0b111_101_101);
        Directory.CreateDirectory(bundle.InRootfs("/zeroth/tool"));
        SetEnv(bundle, "PATH=/nowhere:/zeroth:/first:/second:/third");
        Output(bundle, "tool").Should().Equal("second /second/tool");
        SetEnv(bundle, "A=b");
        Output(bundle, "echo", "default path").Should().Equal("default path");
        SetEnv(bundle, "PATH=:/third");
        bundle.Process["cwd"] = "/second";
        Output(bundle, "tool")[0].Should().StartWith("second");
    }

    [Test]
    public void Absolute_and_relative_programs_and_all_arguments_arrive()
    {
        using TestBundle bundle = new();
        bundle.Process["cwd"] = "/bin";
        Output(bundle, "./echo", "relative").Should().Equal("relative");
        Output(bundle, "../bin/echo", "up").Should().Equal("up");
        using TestContainer container = new TestContainer(bundle.Args("/bin/sleep", "1000")).Started();
        container.Init.CommandLine.Should().Equal("/bin/sleep", "1000");
        string[] lines = Output(bundle, "sh", "-c", "for a in \"$@\"; do echo \"[$a]\"; done", "zero", "", "b c", "ü\"");
        lines.Should().Equal("[]", "[b c]", "[ü\"]");
    }

    [TestCase("", "exec: \"\": executable file not found in $PATH: no such file or directory")]
    [TestCase("no-such-program", "exec: \"no-such-program\": executable file not found in $PATH")]
    [TestCase("/no/such/program", "exec: \"/no/such/program\": stat /no/such/program: no such file or directory")]
    [TestCase("./missing", "exec: \"./missing\": stat ./missing: no such file or directory")]
    [TestCase("/etc/passwd", "exec: \"/etc/passwd\": permission denied")]
    [TestCase("/etc", "exec: \"/etc\": is a directory")]
    [TestCase("/etc/passwd/x", "exec: \"/etc/passwd/x\": not a directory")]
    public void A_bad_program_fails_create_in_the_words_that_engines_match(string program, string words)
    {
        using TestBundle bundle = new();
        Observe.Refused(bundle.Args(program)).Should().Contain($"ocirun create failed: {words}");
    }

    /// <summary>Engines give 127 for it, as shells do.</summary>
    [Test]
    public void A_name_that_leads_to_no_file_is_not_found([Values] bool tooLong)
    {
        using TestBundle bundle = new();
        File.CreateSymbolicLink(bundle.InRootfs("/bin/circle"), "circle");
        SetEnv(bundle, "PATH=/bin");
        string name = tooLong ? new string('x', 300) : "circle";
        Observe.Refused(bundle.Args(name)).Should()
            .Contain($"exec: \"{name}\": executable file not found in $PATH: {(tooLong ? "file name too long" : "too many levels of "
            + "symbolic links")}");
    }

    [Test]
    public void A_program_that_the_user_may_not_run_fails_create()
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/private/tool", "#!/bin/sh", 0b111_000_000).WriteFile("/tool", "#!/bin/sh", 0b111_000_000).User(1000, 1000);
        Observe.Refused(bundle.Args("/tool")).Should().Contain("exec: \"/tool\": permission denied");
        SetEnv(bundle, "PATH=/:/nowhere");
        Observe.Refused(bundle.Args("tool")).Should().Contain("exec: \"tool\": permission denied");
    }

    [Test]
    public void Environment_is_what_is_listed_and_the_last_duplicate_wins()
    {
        using TestBundle bundle = new();
        SetEnv(bundle, "PATH=/bin", "A=1", "B=2", "A=3", "EMPTY=", "EQ=a=b", "ünï=ö", "HOME=/h", "B=4");
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Environ.Should().BeEquivalentTo("PATH=/bin", "A=3", "B=4", "EMPTY=", "EQ=a=b", "ünï=ö", "HOME=/h");
    }

    [Test]
    public void Nothing_of_the_callers_environment_leaks()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Args("env"))
        {
            Options = new CommandOptions
            {
                Env = new Dictionary<string, string?> { ["SECRET"] = "1", ["_LIBCONTAINER_X"] = "2", ["HOME"] = "/caller" }
            },
        };
        container.Run().ShouldSucceed().Lines.Should()
            .BeEquivalentTo("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "HOME=/root");
    }

    [Test]
    public void Many_and_long_variables_arrive()
    {
        using TestBundle bundle = new();
        string longValue = new('x', 100_000);
        string[] many = [.. Enumerable.Range(0, 500).Select(i => $"V{i}={i}")];
        SetEnv(bundle, ["PATH=/bin", $"LONG={longValue}", .. many, "V7=seven"]);
        using TestContainer container = Observe.Sleeping(bundle);
        container.Init.Environ.Should().Contain([$"LONG={longValue}", "V499=499", "V7=seven"]).And.NotContain("V7=7").And.HaveCount(503);
    }

    private const string Odd = """
        # no colons at all

        short:x:1000
        other:x:10000:1000::/wrong:/bin/sh
        bad:x:1000x:1000::/wrong:/bin/sh
        neg:x:-1000:1000::/wrong:/bin/sh
        empty:x:1000:1000:::/bin/sh
        right:x:1000:1000:a:/right
        second:x:1000:1000:a:/second:/bin/sh
        """;

    [TestCase("root:x:0:0:root:/root:/bin/sh\n", 0, "/root")]
    [TestCase("root:x:0:0:root:/root:/bin/sh\n", 1000, "/")]
    [TestCase("a:x:1000:1::/home/a", 1000, "/home/a")]
    [TestCase("", 0, "/")]
    [TestCase(Odd, 1000, "/right")]
    [TestCase("big:x:4294967294:0::/big:\n", 2000000000, "/")]
    public void Home_comes_from_the_images_passwd(string passwd, int uid, string home)
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/etc/passwd", passwd).User(uid, 0);
        Output(bundle, "sh", "-c", "echo $HOME").Should().Equal(home);
        bundle.Env("HOME=");
        Output(bundle, "sh", "-c", "echo $HOME").Should().Equal(home);
    }

    [TestCase("absent")]
    [TestCase("fifo")]
    [TestCase("directory")]
    [TestCase("dangling")]
    [TestCase("endless")]
    [TestCase("out")]
    public void An_odd_passwd_neither_blocks_nor_leads_out(string kind)
    {
        using TestBundle bundle = new();
        string path = bundle.InRootfs("/etc/passwd");
        File.Delete(path);
        switch (kind)
        {
            case "fifo": Command.Run("mkfifo", path).ShouldSucceed(); break;
            case "directory": Directory.CreateDirectory(path); break;
            case "dangling": File.CreateSymbolicLink(path, "/nowhere"); break;
            case "endless": Command.Run("mknod", path, "c", "1", "5").ShouldSucceed(); break;
            case "out":
                string outside = Path.Combine(bundle.Directory, "passwd");
                File.WriteAllText(outside, "root:x:0:0:root:/outside:/bin/sh\n");
                File.CreateSymbolicLink(path, "../../passwd");
                break;
        }
        Output(bundle, "sh", "-c", "echo $HOME").Should().Equal("/");
    }

    [Test]
    public void Working_directory_is_made_when_missing_and_set()
    {
        using TestBundle bundle = new();
        bundle.Process["cwd"] = "/not/there/yet";
        Output(bundle, "sh", "-c", "pwd; stat -c '%a %u:%g' /not /not/there/yet").Should().Equal("/not/there/yet", "755 0:0", "755 0:0");
        bundle.Process["cwd"] = "//home/./user/../user/";
        Output(bundle, "pwd").Should().Equal("/home/user");
        File.CreateSymbolicLink(bundle.InRootfs("link"), "/home/user");
        bundle.Process["cwd"] = "/link";
        Output(bundle, "pwd", "-P").Should().Equal("/home/user");
        bundle.AddMount("/mnt/x", "tmpfs", "tmpfs").Process["cwd"] = "/mnt/x/in/side";
        Output(bundle, "pwd").Should().Equal("/mnt/x/in/side");
    }

    [Test]
    public void Working_directory_that_only_the_user_or_only_root_may_enter()
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("/private"));
        Command.Run("chown", "1000:1000", bundle.InRootfs("/private")).ShouldSucceed();
        Command.Run("chmod", "700", bundle.InRootfs("/private"), bundle.InRootfs("/root")).ShouldSucceed();
        bundle.User(1000, 1000).Process["cwd"] = "/private";
        Output(bundle, "sh", "-c", "pwd; ls | wc -l").Should().Equal("/private", "0");
        bundle.Process["cwd"] = "/root";
        Output(bundle, "/bin/readlink", "/proc/self/cwd").Should().Equal("/root");
    }

    [Test]
    public void Working_directory_of_the_user_alone_in_a_user_namespace()
    {
        using TestBundle bundle = new();
        Directory.CreateDirectory(bundle.InRootfs("/private"));
        Command.Run("chown", "1000:1000", bundle.InRootfs("/private")).ShouldSucceed();
        Command.Run("chmod", "700", bundle.InRootfs("/private")).ShouldSucceed();
        bundle.AddNamespace("user").User(1000, 1000).Process["cwd"] = "/private";
        // Root of the namespace is nobody on the host; its user 1000 is the host's 1000.
        foreach (string kind in (string[])["uidMappings", "gidMappings"])
        {
            bundle.Linux[kind] =
                System.Text.Json.Nodes.JsonNode.Parse(
                """[ { "containerID": 0, "hostID": 100000, "size": 1000 }, { "containerID": 1000, "hostID": 1000, "size": 1 }, { "containerID": 1001, "hostID": 101001, "size": 1000 } ]""");
        }
        using (TestContainer container = Observe.Sleeping(bundle))
            new FileInfo($"/proc/{container.InitPid}/cwd").LinkTarget.Should().EndWith("/private");
        bundle.Linux["uidMappings"]![1]!["hostID"] = 2000;
        Observe.Refused(bundle).Should().Contain("/process/cwd").And.Contain("EACCES");
    }

    [Test]
    public void Working_directory_that_cannot_be_is_an_error()
    {
        using TestBundle bundle = new();
        bundle.Process["cwd"] = "/etc/passwd";
        Observe.Refused(bundle).Should().Contain("/process/cwd").And.Contain("ENOTDIR");
        bundle.Process["cwd"] = "relative";
        Observe.Refused(bundle).Should().Contain("/process/cwd").And.Contain("must be an absolute path");
        bundle.Process["cwd"] = "/proc/self/fd/7";
        Observe.Refused(bundle).Should().Contain("/process/cwd");
    }
}
