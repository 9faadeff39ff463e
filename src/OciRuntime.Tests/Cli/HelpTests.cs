using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

public sealed class HelpTests
{
    [Test]
    public void The_program_help_lists_all_commands_and_global_options()
    {
        string help = HelpPrinter.Text(null);
        help.Should()
            .StartWith("ocirun - ").And.Contain("Usage:\n").And.Contain("Exit codes:\n").And.Contain(
            "-v, --version").And.NotContain("--criu");
        help.Should().Contain("--log-format FORMAT    text or json (default: text)");
        foreach (VerbOptions verb in Verbs.All) help.Should().MatchRegex($"\n  {verb.VerbName} +[a-z]");
    }

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void A_command_help_has_all_parts(VerbOptions verb)
    {
        string help = HelpPrinter.Text(verb);
        help.Should()
            .StartWith($"ocirun {verb.VerbName} - ").And.Contain("Usage:\n").And.Contain("Options:\n").And.Contain(
            "Examples:\n").And.Contain("Exit codes:\n");
        help.Should().Contain("-h, --help").And.NotContain("--version");
        verb.Describe().Examples.Should().HaveCountGreaterThan(0).And.HaveCountLessThan(4);
    }

    [Test]
    public void Create_shows_defaults_and_usage()
    {
        string help = HelpPrinter.Text(Verbs.Find("create"));
        help.Should().Contain("ocirun [global options] create [options] <container-id>");
        help.Should().Contain("(default: config.json)").And.Contain("(default: current directory)");
        HelpPrinter.Text(Verbs.Find("kill")).Should().Contain("<container-id> [signal]").And.Contain("(default: SIGTERM)");
    }

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void Only_examples_may_be_wider_than_a_terminal(VerbOptions verb)
    {
        string[] examples = [.. verb.Describe().Examples.Select(e => "  " + e.Command)];
        HelpPrinter.Text(verb).Split('\n').Except(examples).Should().OnlyContain(line => line.Length <= 80);
    }

    [TestCaseSource(typeof(Verbs), nameof(Verbs.All))]
    public void Examples_work(VerbOptions verb)
    {
        foreach (HelpExample example in verb.Describe().Examples)
        {
            foreach (string command in example.Command.Split(["&&", "|", ">"], StringSplitOptions.TrimEntries)
                .Where(c => c.StartsWith("ocirun ")))
            {
                FluentActions.Invoking(() => CommandLineReader.Parse(command.Split(' ')[1..])).Should().NotThrow(command);
            }
        }
    }
}
