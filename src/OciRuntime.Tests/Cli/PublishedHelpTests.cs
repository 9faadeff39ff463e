using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// Options are described by attributes, which the trimmer of the published binary could drop without anybody noticing: its help has to know
/// every option and argument that the code declares.
/// </summary>
public sealed class PublishedHelpTests
{
    public static IEnumerable<string> VerbNames => Verbs.All.Select(static verb => verb.Name);

    [TestCaseSource(nameof(VerbNames))]
    public void Options_survive_trimming(string verb)
    {
        Requires.OcirunItself();
        string help = Ocirun.Run(verb, "--help").ShouldSucceed().Stdout;
        Type options = Verbs.Find(verb)!.OptionsType;
        foreach (OptionDescription option in VerbDescription.OptionsOf(options))
        {
            if (!option.Hidden) help.Should().Contain($"--{option.Long}");
        }
        foreach (ArgumentDescription argument in VerbDescription.ArgumentsOf(options)) help.Should().Contain(argument.Name);
    }

    [Test]
    public void Global_options_survive_trimming()
    {
        Requires.OcirunItself();
        string help = Ocirun.Run("--help").ShouldSucceed().Stdout;
        foreach (OptionDescription option in VerbDescription.GlobalOptions())
        {
            if (!option.Hidden) help.Should().Contain($"--{option.Long}");
        }
    }
}
