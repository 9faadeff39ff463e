using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>The rule of Init/ on the real thing: the child counts what it allocated from its first to its last step.</summary>
public sealed class InitAllocationTests
{
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.OnThisMachine))]
    public void Container_runs_and_its_child_allocates_nothing(string fixture)
    {
        Requires.OcirunItself();
        using FixtureBundle prepared = new(fixture);
        string log = Path.Combine(prepared.Bundle.Directory, "log");
        TestContainer container = prepared.Created("--debug", "--log", log);
        int init = container.InitPid;
        // A second runtime in a user namespace of its own has no say over the first one's container.
        if (prepared.IsOnTheHost) container.Exec("/bin/true").ShouldSucceed();
        container.Start().ShouldSucceed();
        container.WaitExit().ShellCode.Should().Be(0);
        string[] counts = [.. File.ReadAllLines(log).Where(static line => line.Contains("allocated", StringComparison.Ordinal))];
        counts.Should()
            .HaveCount(prepared.IsOnTheHost ? 2 : 1).And.OnlyContain(line => line.Contains("allocated 0 bytes", StringComparison.Ordinal));
    }
}
