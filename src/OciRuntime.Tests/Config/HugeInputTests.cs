using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>Configurations within all limits of the reader that are more than anybody can mean: a short answer, in time.</summary>
[MeasuresTime]
public sealed class HugeInputTests
{
    // Of a pipe that nobody reads yet.
    private const int Capacity = 64 << 10;
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _bundle = new TestBundle();
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    [TestCase(33_000, "/linux/seccomp: the conditions on arguments")]
    [TestCase(-33_000, "/linux/seccomp: the filter is far longer than the 4096 instructions")]
    [TestCase(-20_000, "/linux/seccomp: the filter is far longer than the 4096 instructions")]
    public void Conditions_of_one_rule(int count, string message)
    {
        JsonArray args = [];
        for (int i = 0; i < Math.Abs(count); i++)
            args.Add(new JsonObject { ["index"] = 0, ["value"] = count > 0 ? i : -count - i, ["op"] = "SCMP_CMP_EQ" });
        Rules()[0]!["args"] = args;
        Refused().Should().Contain(message);
    }

    [Test]
    public void Conditions_that_are_no_use_as_the_call_is_allowed()
    {
        JsonArray args = [];
        for (int i = 0; i < 60_000; i++) args.Add(new JsonObject { ["index"] = 0, ["value"] = i, ["op"] = "SCMP_CMP_EQ" });
        _ = Rules();
        _bundle.Rule("SCMP_ACT_ALLOW", [.. Enumerable.Repeat("personality", 60_000)]).Linux["seccomp"]!["syscalls"]![1]!["args"] = args;
        Refused().Should().Contain("/linux/seccomp: the conditions on arguments");
    }

    [Test]
    public void Conditions_of_many_calls()
    {
        JsonArray rules = Rules();
        rules.Clear();
        for (int i = 0; i < 2000; i++)
        {
            _bundle.Rule("SCMP_ACT_ALLOW", "read", "write", "openat", "close", "fstat", "statx", "lseek");
            JsonArray args = [];
            foreach (string word in (string[])["LT", "GT", "NE", "LE", "GE", "LT"])
                args.Add(new JsonObject { ["index"] = args.Count, ["value"] = i, ["op"] = $"SCMP_CMP_{word}" });
            rules[i]!["args"] = args;
        }
        Refused().Should().Contain("/linux/seccomp: the conditions on arguments");
    }

    [TestCase("signature '{0}'", "(", 200_000, "has a signature that is none")]
    [TestCase("{0}", "1", 300_000, "has a number out of the range")]
    [TestCase("[{0}(1,2)]", "(1,2),", 600_000, "it takes more memory than there is, or than the 96 MiB that ocirun gives itself")]
    public void Property_of_a_unit(string form, string repeated, int times, string message)
    {
        _bundle.Annotations["org.systemd.property.Foo"] = string.Format(form, string.Concat(Enumerable.Repeat(repeated, times)));
        Refused().Should().Contain(message);
    }

    [Test]
    public void Cpus_over_and_over()
    {
        _bundle.Process["execCPUAffinity"] = new JsonObject { ["initial"] = string.Join(',', Enumerable.Repeat("0-65535", 100_000)) };
        Refused().Should().Contain("/process/execCPUAffinity/initial: ").And.Contain("none of them over and over");
    }

    [TestCase("a={0}", ",,")]
    [TestCase("{0}", "\"\"")]
    public void Option_of_a_mount(string form, string repeated)
    {
        _bundle.AddMount("/mnt", "cifs", "//a/b", string.Format(form, string.Concat(Enumerable.Repeat(repeated, 1_000_000))));
        Refused().Should().Contain("an option is longer than the 255 bytes that fsconfig(2) takes");
    }

    [Test]
    public void More_than_there_is_memory_for()
    {
        _bundle.Linux["maskedPaths"] = TestBundle.Strings([.. Enumerable.Range(0, 200_000).Select(static i => $"/proc/x{i}")]);
        Refused().Should().Contain("it takes more memory than there is, or than the 96 MiB that ocirun gives itself");
    }

    [TestCase("cwd", "/process/cwd: make the directory /ppp", "file name too long (ENAMETOOLONG)")]
    [TestCase("rootfs", "/root/path \"/ppp", "file name too long (ENAMETOOLONG)")]
    [TestCase("mount", "/mounts/", "file name too long (ENAMETOOLONG)")]
    [TestCase("sysctl", "/linux/sysctl/net.ppp", "file name too long (ENAMETOOLONG)")]
    public void A_path_is_told_with_its_reason(string what, string beginning, string reason)
    {
        string name = new('p', 1_000_000);
        switch (what)
        {
            case "cwd": _bundle.Process["cwd"] = "/" + name; break;
            case "rootfs": _bundle.Config["root"]!["path"] = "/" + name; break;
            case "mount": _bundle.AddMount("/" + name, "tmpfs", "tmpfs"); break;
            default: _bundle.Linux["sysctl"] = new JsonObject { ["net." + name] = "1" }; break;
        }
        string message = Observe.Refused(_bundle);
        message.Should().Contain($"ocirun create failed: {beginning}").And.Contain(reason);
        message.Length.Should().BeLessThan(Capacity);
    }

    /// <summary>A letter may take several bytes, of which the pipe has no more.</summary>
    [Test]
    public void A_path_of_other_letters_is_told_before_anybody_reads()
    {
        _bundle.AddMount("/mnt", null!, string.Concat(Enumerable.Repeat("/" + new string('\u20ac', 80), 2000)), "bind");
        string ended = Path.Combine(_bundle.Directory, "ended");
        string command = $"timeout -s KILL 5 {Ocirun.Binary.Path} create --bundle {_bundle.Save().Directory} huge";
        string message = Command.Run("sh", "-c",
            $"{{ {command} 2>&1 >/dev/null; echo $? >{ended}; }} | {{ until [ -s {ended} ]; do sleep 0.02; done; cat; }}").Stdout;
        File.ReadAllText(ended).Should().Be("1\n");
        message.Should().Contain("/mounts/").And.Contain("file name too long (ENAMETOOLONG)");
    }

    private JsonArray Rules()
    {
        _bundle.Seccomp("SCMP_ACT_ERRNO").Rule("SCMP_ACT_ALLOW", "personality");
        return _bundle.Linux["seccomp"]!["syscalls"]!.AsArray();
    }

    private string Refused()
    {
        string message = Explain().ShouldFail(1).Stderr.Replace("\\\"", "\"");
        message.Should().NotContain("bug in ocirun");
        message.Length.Should().BeLessThan(Capacity);
        return message;
    }

    /// <summary>Ends in less time than what fuzzing takes for a failure.</summary>
    private CommandResult Explain()
    {
        _bundle.Save();
        return Ocirun.Run(["explain", "--bundle", _bundle.Directory], new CommandOptions { Timeout = TimeSpan.FromSeconds(10) });
    }
}
