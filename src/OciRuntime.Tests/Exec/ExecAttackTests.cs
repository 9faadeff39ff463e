using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Exec;

/// <summary>
/// A container that waits for the runtime to come in (CVE-2016-9962, CVE-2019-5736): what it can see, trace and hold on to of the joining
/// process, with CAP_SYS_PTRACE and without.
/// </summary>
[LeavesNothing]
public sealed class ExecAttackTests
{
    private const int Execs = 60, MostExecs = 1200;
    private const ulong CapSysPtrace = 1UL << 19;

    [TestCase(false, 0, false)]
    [TestCase(false, 1000, false)]
    [TestCase(true, 0, false)]
    [TestCase(true, 0, true)]
    public void The_joining_process_gives_nothing_away(bool trace, int uid, bool userNamespace)
    {
        using TestBundle bundle = new();
        bundle.RunProbe("spy").User(uid, uid).Capabilities(trace ? ["CAP_SYS_PTRACE"] : []);
        if (userNamespace) bundle.WithUserNamespace();
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        container.WaitOutput("ready");
        string before = Identity();
        container.Options = new() { Env = new Dictionary<string, string?> { ["OCIRUN_SECRET"] = "of the caller" } };
        // On a busy machine an exec may pass while the spy waits for its turn.
        for (int i = 0; i < Execs || (i < MostExecs && !container.Output.Contains("seen")); i++) container.Exec("true").ShouldSucceed();
        string[] lines = [.. container.Output.Split('\n').Distinct()];
        TestContext.Out.WriteLine(string.Join('\n', lines));
        lines.Should().Contain("seen", "the spy is fast enough to meet it at least once in {0}", MostExecs);
        lines.Should().NotContain(static line => line.Contains("FOREIGN") || line.Contains("WRITABLE") || line.Contains("LEAKED"));
        // Visible only with what the program gets: nothing to gain by taking it over.
        ulong allowed = trace ? CapSysPtrace : 0;
        foreach (string line in lines.Where(static line => line.StartsWith("Cap", StringComparison.Ordinal)))
            Convert.ToUInt64(line.Split('\t')[1], 16).Should().Be(allowed, line);
        foreach (string line in lines.Where(static line => line.StartsWith("Uid", StringComparison.Ordinal)))
            line.Split('\t')[1..].Should().AllBe($"{uid}");
        if (!trace)
        {
            lines.Should().NotContain(static line => line.StartsWith("fd ", StringComparison.Ordinal)
                || line.StartsWith("root ", StringComparison.Ordinal) || line == "mem open" || line == "ptrace seized");
        }
        foreach (string line in lines.Where(static line => line.StartsWith("fd ", StringComparison.Ordinal)))
        {
            string[] words = line.Split(' ', 3);
            if (int.Parse(words[1]) > 2) words[2].Should().MatchRegex("^(socket:|pipe:|/$)", "no way to the host may be open");
        }
        Identity().Should().Be(before, "no container may change the host's binary");
    }

    /// <summary>What a program finds of the runtime once it runs.</summary>
    [Test]
    public void The_program_inherits_nothing()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        // Without a pipe, of which the shell would have an end itself for a moment.
        container.Exec("sh", "-c", "ls /proc/$$/fd; readlink /proc/$$/cwd; readlink /proc/$$/root").ShouldSucceed().Lines.Should()
            .Equal("0", "1", "2", "/", "/");
    }

    /// <summary>CVE-2024-21626: a working directory or program by way of a descriptor of the runtime.</summary>
    [Test]
    public void No_way_out_by_descriptors_of_the_runtime()
    {
        using TestBundle bundle = new();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        for (int fd = 3; fd < 20; fd++)
        {
            CommandResult result = container.ExecWith(["--cwd", $"/proc/self/fd/{fd}"], "pwd");
            result.ExitCode.Should().Be(255, "{0}", result);
            container.Exec($"/proc/self/fd/{fd}/bin/true").ExitCode.Should().Be(255);
        }
    }

    [TestCase("/proc/self/exe")]
    [TestCase("/proc/1/exe")]
    public void The_runtime_as_the_program(string program)
    {
        string before = Identity();
        using TestBundle bundle = new TestBundle().Writable();
        using TestContainer container = new TestContainer(bundle.Args("sleep", "1000")).Started();
        container.Exec(program, "true");
        Identity().Should().Be(before);
    }

    private static string Identity() => Command.Run("sha256sum", Ocirun.Binary.Path).ShouldSucceed().Text;
}
