using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

public sealed class ManPageTests
{
    private static readonly CommandOptions Wide =
        new() { Env = new Dictionary<string, string?> { ["MANWIDTH"] = "200", ["GROFF_NO_SGR"] = "1" } };
    private string _directory = "";

    public static IEnumerable<string> Topics => Verbs.All.Select(static verb => verb.VerbName).Prepend("");

    [OneTimeSetUp]
    public void WritePages()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("man");
        Ocirun.Run("man", "--output", _directory).ShouldSucceed().Stdout.Should().BeEmpty();
    }

    [OneTimeTearDown]
    public void Remove() => Cleaner.DeleteTree(_directory);

    [Test]
    public void All_pages_are_written()
    {
        string directory = TestRun.NewDirectory("man");
        Ocirun.Run("man", "--output", directory).ShouldSucceed().Stdout.Should().BeEmpty();
        Directory.GetFiles(directory).Select(Path.GetFileName).Should()
            .BeEquivalentTo(Topics.Select(topic => topic.Length == 0 ? "ocirun.8" : $"ocirun-{topic}.8"));
        Cleaner.DeleteTree(directory);
    }

    [TestCaseSource(nameof(Topics))]
    public void Both_formatters_take_it_without_a_warning(string topic)
    {
        string page = PageOf(topic);
        CommandResult groff = Command.Run(Requires.Tool("groff"), "-ww", "-man", "-Tutf8", page);
        groff.ShouldSucceed().Stderr.Should().BeEmpty();
        Command.Run(Requires.Tool("mandoc"), "-Tlint", "-Wwarning", page).ShouldSucceed().Stdout.Should().BeEmpty();
        Ocirun.Run(topic.Length == 0 ? ["man"] : ["man", topic]).ShouldSucceed().Stdout.Should().Be(File.ReadAllText(page));
    }

    [TestCaseSource(nameof(Topics))]
    public void Everything_that_the_help_knows_is_legible_in_it(string topic)
    {
        VerbOptions? verb = Verbs.Find(topic);
        string text = Rendered(topic);
        foreach (OptionDescription option in ((OptionSet?)verb ?? new GlobalOptions()).DescribeOptions())
        {
            if (!option.Hidden)
            {
                text.Should()
                    .Contain(string.Join(", ", option.Spellings)).And.Contain(string.Join(' ', option.Text.Split(' ').Take(4)));
            }
        }
        foreach (string section in (string[])["NAME", "SYNOPSIS", "DESCRIPTION", "EXAMPLES", "EXIT STATUS", "SEE ALSO"])
            text.Should().Contain($"\n{section}\n");
        foreach (HelpExample example in verb?.Describe().Examples ?? ProgramHelp.Examples) text.Should().Contain(example.Command);
        if (verb is null)
        {
            text.Should()
                .Contain("\nFILES\n").And.Contain("\nENVIRONMENT\n").And.Contain("/run/ocirun").And.ContainAll(Verbs.All.Select(v =>
                $"ocirun-{v.VerbName}(8)"));
        }
        else
        {
            text.Should().Contain("ocirun(8)");
        }
    }

    [TestCase(".leading dot", "\\&.leading dot")]
    [TestCase("'quoted'", "\\&'quoted'")]
    [TestCase("use --pid-file or (-b), not half-way", "use \\-\\-pid\\-file or (\\-b), not half-way")]
    [TestCase("a\\b ~x^ 5µs", "a\\eb \\(tix\\(ha 5\\[u00B5]s")]
    public void Prose(string text, string roff) => Roff.Prose(text).Should().Be(roff);

    [TestCase("echo '{\"a\":\"\\n\"}' | x -y", "echo \\(aq{\\(dqa\\(dq:\\(dq\\en\\(dq}\\(aq | x \\-y")]
    [TestCase(".x", "\\&.x")]
    public void Literal(string text, string roff) => Roff.Literal(text).Should().Be(roff);

    [Test]
    public void A_mistake_is_told()
    {
        Ocirun.Run("man", "creat").ShouldFail(1, "unknown command \"creat\"; did you mean \"create\"?");
        Ocirun.Run("man", "--output", "/nonexistent").ShouldFail(1, "write /nonexistent/ocirun.8: no such file or directory");
        Ocirun.Run("man", "-o", _directory, "create").ShouldFail(1, "--output writes all pages");
    }

    private string PageOf(string topic) => Path.Combine(_directory, topic.Length == 0 ? "ocirun.8" : $"ocirun-{topic}.8");

    private string Rendered(string topic) =>
        Command.Run(Requires.Tool("groff"), ["-man", "-Tascii", "-P-cbou", "-rLL=200n", PageOf(topic)], Wide).ShouldSucceed().Stdout;
}
