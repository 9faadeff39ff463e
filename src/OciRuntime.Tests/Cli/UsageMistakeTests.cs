using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

[NonParallelizable]
public sealed class UsageMistakeTests
{
    [TestCase("create", "\"create\" requires exactly 1 argument: <container-id> (got 0)")]
    [TestCase("create a b", "\"create\" requires exactly 1 argument: <container-id> (got 2)")]
    [TestCase("kill", "\"kill\" requires at least 1 argument: <container-id> [signal] (got 0)")]
    [TestCase("kill a b c", "\"kill\" takes at most 2 arguments: <container-id> [signal] (got 3)")]
    [TestCase("list a", "\"list\" takes no arguments (got 1)")]
    [TestCase("creat x", "unknown command \"creat\"; did you mean \"create\"?")]
    [TestCase("help detele", "unknown command \"detele\"; did you mean \"delete\"?")]
    [TestCase("frobnicate --help", "unknown command \"frobnicate\"")]
    [TestCase("create --bundel x y", "unknown flag \"--bundel\" for \"create\"; did you mean \"--bundle\"?")]
    [TestCase("create -bundel x y", "unknown flag \"-bundel\" for \"create\"; did you mean \"--bundle\"?")]
    [TestCase("create --no-pviot=true y", "unknown flag \"--no-pviot\" for \"create\"; did you mean \"--no-pivot\"?")]
    [TestCase("run -dx y", "unknown flag \"-dx\" for \"run\"")]
    [TestCase("create --zzz y", "unknown flag \"--zzz\" for \"create\"")]
    [TestCase("create --root /r y", "unknown flag \"--root\" for \"create\"; it is a global flag and belongs before the command")]
    [TestCase("--bundle /b create y", "unknown global flag \"--bundle\"; it belongs after the command, as in \"ocirun create --bundle\"")]
    [TestCase("--lg x create y", "unknown global flag \"--lg\"; did you mean \"--log\"?")]
    [TestCase("create --bundle", "flag needs an argument: --bundle")]
    [TestCase("create -b", "flag needs an argument: -b")]
    [TestCase("run -db", "flag needs an argument: -b")]
    [TestCase("--root", "flag needs an argument: --root")]
    [TestCase("create --preserve-fds two x", "invalid value \"two\" for flag --preserve-fds: expected a number from 0 to 2147483647")]
    [TestCase("create --preserve-fds=4294967296 x",
        "invalid value \"4294967296\" for flag --preserve-fds: expected a number from 0 to 2147483647")]
    [TestCase("create --preserve-fds=-1 x", "invalid value \"-1\" for flag --preserve-fds: expected a number from 0 to 2147483647")]
    [TestCase("create --no-pivot=maybe x", "invalid value \"maybe\" for flag --no-pivot: expected true or false")]
    [TestCase("list -f xml", "invalid value \"xml\" for flag -f: expected table or json")]
    [TestCase("--log-format xml list", "invalid log-format: xml")]
    [TestCase("--rootless maybe list", "invalid value \"maybe\" for flag --rootless: expected true, false or auto")]
    [TestCase("--root / list", "Option --root argument should not be set to /")]
    [TestCase("--root /a/.. list", "Option --root argument should not be set to /")]
    [TestCase("--root= list", "Option --root argument should not be empty")]
    [TestCase("create --=x y", "bad flag syntax: --=x")]
    [TestCase("create --no- y", "ambiguous flag \"--no-\": it may be --no-new-keyring, --no-pivot or --no-subreaper")]
    [TestCase("create --pid=x y", "ambiguous flag \"--pid\": it may be --pid-file or --pidfd-socket")]
    [TestCase("--log- x list", "ambiguous flag \"--log-\": it may be --log-format or --log-level")]
    [TestCase("create -bun x y", "unknown flag \"-bun\" for \"create\"")]
    [TestCase("create -pid-f x y", "unknown flag \"-pid-f\" for \"create\"")]
    [TestCase("create --bun", "flag needs an argument: --bundle")]
    [TestCase("man detele", "unknown command \"detele\"; did you mean \"delete\"?")]
    [TestCase("completion ksh", "unknown shell \"ksh\": expected bash, zsh or fish")]
    [TestCase("create ---bundle y", "bad flag syntax: ---bundle")]
    public void Messages(string line, string message) =>
        FluentActions.Invoking(() => CommandLineReader.Parse(line.Split(' '))).Should().Throw<UsageException>().WithMessage(message);

    [Test]
    public void A_mistake_remembers_the_command_and_the_log()
    {
        UsageException mistake = FluentActions.Invoking(() => CommandLineReader.Parse(["--log", "/l", "create"])).Should()
            .Throw<UsageException>().Which;
        mistake.VerbName.Should().Be("create");
        mistake.Globals!.Log.Should().Be("/l");
    }

    [Test]
    public void Reported_to_a_person()
    {
        using CapturedStandardError stderr = new();
        CommandLineReader.Report(new UsageException("no") { VerbName = "create" }).Should().Be(1);
        stderr.Text.Should().Be("ocirun: no\nRun 'ocirun create --help' for usage.\n");
    }

    [Test]
    public void Reported_to_a_client()
    {
        using TemporaryFile log = new();
        using CapturedStandardError stderr = new();
        CommandLineReader.Report(new UsageException("no") { Globals = new() { Log = log.Path } }).Should().Be(1);
        stderr.Text.Should().Be("no\n");
        File.ReadAllText(log.Path).Should().MatchRegex("^time=\"[^\"]+\" level=error msg=\"no\"\n$");
    }

    [Test]
    public void Reported_to_a_person_when_the_log_itself_is_wrong()
    {
        using CapturedStandardError stderr = new();
        UsageException mistake = new("open log file") { Globals = new() { Log = "/nonexistent/log" }, HelpHelps = false };
        CommandLineReader.Report(mistake).Should().Be(1);
        stderr.Text.Should().Be("ocirun: open log file\n");
    }

    /// <summary>A word of a command line may have 128 KiB, and is compared with every name.</summary>
    [Test]
    public void A_long_word_is_like_no_name_and_takes_little_memory()
    {
        const int MostBytes = 4 << 20;
        string word = "--" + new string('e', 128 << 10);
        long before = GC.GetAllocatedBytesForCurrentThread();
        UnknownNames.GlobalOption(word).Message.Should().NotContain("did you mean");
        UnknownNames.Verb(word).Message.Should().NotContain("did you mean");
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().BeLessThan(MostBytes);
    }

    [TestCase("bundel", "bundle", 1)]
    [TestCase("", "abc", 3)]
    [TestCase("same", "same", 0)]
    [TestCase("kitten", "sitting", 3)]
    public void Edit_distance(string a, string b, int distance) => UnknownNames.EditDistance(a, b).Should().Be(distance);
}
