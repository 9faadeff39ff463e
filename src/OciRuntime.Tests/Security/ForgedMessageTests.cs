using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A container with the right to trace stops the joining process, takes a copy of its socket and reports an error in its place, with a text
/// longer than the message: the runtime must neither print what is behind the message in its own memory nor fall over it.
/// </summary>
[LeavesNothing]
public sealed class ForgedMessageTests
{
    private const int Execs = 60;
    private const string Secret = "SECRET-OF-THE-CALLER";

    [TestCase(12_000)]
    [TestCase(16 << 20)]
    [TestCase(-1)]
    public void Exec_prints_nothing_of_the_callers(int length)
    {
        Requires.OcirunItself();
        using TestBundle bundle = new TestBundle().RunProbe("forge", $"{length}", "1", $"{(int)InitOp.Execute}")
            .Capabilities("CAP_SYS_PTRACE");
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("ready");
        container.Options = new() { Env = new Dictionary<string, string?> { ["OCIRUN_SECRET"] = Secret } };
        int met = 0;
        for (int i = 0; i < Execs && met < 3; i++)
        {
            CommandResult result = container.Exec("true");
            Check(result);
            if (result.Stderr.Contains("sent what it cannot mean", StringComparison.Ordinal)) met++;
        }
        met.Should().BePositive("the container is fast enough to meet it at least once in {0}: {1}", Execs, container.Output);
        container.Output.Should().Contain("forged");
    }

    /// <summary>One of the container's own processes stops its init and answers `start`.</summary>
    [TestCase(12_000)]
    [TestCase(16 << 20)]
    public void Start_prints_nothing_of_the_callers(int length)
    {
        Requires.OcirunItself();
        using TestBundle bundle = new TestBundle().Args("true").Capabilities("CAP_SYS_PTRACE");
        Libc.Check(Syscall.link(Probe.HostPath, bundle.InRootfs("/bin/probe")), "link probe");
        using TestContainer container = new(bundle);
        container.Create().ShouldSucceed();
        using RunningCommand forger = container.StartExec([], "/bin/probe", "forge-start", $"{length}", "1", $"{(int)InitOp.Execute}");
        Eventually.True(() => forger.Stdout.Contains("ready", StringComparison.Ordinal), $"the container holds its init: {forger.Stderr}");
        CommandResult result =
            container.Call(["start", container.Id], new() { Env = new Dictionary<string, string?> { ["OCIRUN_SECRET"] = Secret } });
        Check(result);
        result.ShouldFail(1, $"sent what it cannot mean: a text of {length} bytes");
    }

    private static void Check(CommandResult result)
    {
        result.ExitCode.Should().BeOneOf([0, 1, 255], "{0}", result);
        result.Stderr.Should().NotContain(Secret);
        result.Stderr.Length.Should().BeLessThan(2000);
    }
}
