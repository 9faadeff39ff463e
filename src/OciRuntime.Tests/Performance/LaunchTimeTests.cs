using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Performance;

/// <summary>Prints how long launches take beside crun's and runc's, measured in one run. Nothing is asserted about the numbers: test machines are noisy.</summary>
public sealed class LaunchTimeTests
{
    [Test]
    [CancelAfter(240_000)]
    public void Launch_times_beside_crun_and_runc()
    {
        Requires.OcirunItself();
        CommandResult result = Command.Run(
            Path.Combine(Ocirun.RepositoryRoot, "bench", "run.sh"),
            [Ocirun.Binary.Path],
            new CommandOptions { Timeout = TimeSpan.FromSeconds(230), Env = new Dictionary<string, string?> { ["RUNS"] = Environment.GetEnvironmentVariable("RUNS") ?? "50" } });
        TestContext.Progress.WriteLine(result.Stdout);
        result.ShouldSucceed();
        result.Stdout.Should().Contain("ocirun").And.Contain("crun");
    }
}
