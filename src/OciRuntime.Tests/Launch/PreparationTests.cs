using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>What it costs to get from the command line to a plan.</summary>
public sealed class PreparationTests
{
    // Half of it is the language runtime's own, before the first line of ours. Each 4 KiB are a page fault, and a launch has some 300.
    private const int MostBytes = 110_000;

    [Test]
    public void Little_of_the_heap_is_taken_before_anything_is_done()
    {
        Requires.OcirunItself();
        using TestBundle bundle = new TestBundle().Args("true");
        using TestContainer container = new(bundle);
        string log = Path.Combine(bundle.Directory, "log");
        container.GlobalOptions.AddRange(["--debug", "--log", log]);
        container.Run().ShouldSucceed();
        Match taken = Regex.Match(File.ReadAllText(log), "prepared, with ([0-9]+) bytes");
        taken.Success.Should().BeTrue();
        int.Parse(taken.Groups[1].Value).Should().BeLessThan(MostBytes);
    }
}
