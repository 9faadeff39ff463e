using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Architecture;

/// <summary>The rule of Init/ on the real thing: the child counts what it allocated from its first to its last step.</summary>
public sealed class InitAllocationTests
{
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.Valid))]
    public void Child_allocates_nothing(string fixture)
    {
        Requires.OcirunItself();
        using TestBundle bundle = FixtureBundle.Create(fixture);
        using TestContainer container = new(bundle);
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--debug", "--log", log]);
        container.Run().ShouldSucceed();
        File.ReadAllText(log).Should().Contain("init allocated 0 bytes");
    }
}
