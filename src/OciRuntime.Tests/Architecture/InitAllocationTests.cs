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
        container.Start().ShouldSucceed();
        container.WaitExit().ShellCode.Should().Be(0);
        File.ReadAllText(log).Should().Contain("init allocated 0 bytes");
    }
}
