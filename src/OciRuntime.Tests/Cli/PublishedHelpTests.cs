using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>The help of the published binary has every option and argument that is declared.</summary>
public sealed class PublishedHelpTests
{
    public static IEnumerable<string> VerbNames => Verbs.All.Select(static verb => verb.VerbName);

    [TestCaseSource(nameof(VerbNames))]
    public void Options_are_in_it(string verb)
    {
        Requires.OcirunItself();
        string help = Ocirun.Run(verb, "--help").ShouldSucceed().Stdout;
        VerbOptions options = Verbs.Find(verb)!;
        foreach (OptionDescription option in options.DescribeOptions())
        {
            if (!option.Hidden) help.Should().Contain($"--{option.Long}");
        }
        foreach (ArgumentDescription argument in options.DescribeArguments()) help.Should().Contain(argument.Name);
    }

    [Test]
    public void Global_options_are_in_it()
    {
        Requires.OcirunItself();
        string help = Ocirun.Run("--help").ShouldSucceed().Stdout;
        foreach (OptionDescription option in new GlobalOptions().DescribeOptions())
        {
            if (!option.Hidden) help.Should().Contain($"--{option.Long}");
        }
    }
}
