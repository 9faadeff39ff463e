using System.Buffers.Binary;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// --log journald:NAME and syslog:NAME: what arrives at the sockets, which a mount namespace of its own puts into their places.
/// </summary>
public sealed class LogServiceTests
{
    // A new /run and a new /dev, so that nothing has to be made on the host. $1 and $2: the sockets, or "".
    private const string Places = """
        mount -t tmpfs tmpfs /run
        mkdir -p /run/systemd/journal /run/dev
        mount -t tmpfs tmpfs /run/dev
        cp -a /dev/null /run/dev/null
        if [ -n "$1" ]; then : >/run/systemd/journal/socket; mount --bind "$1" /run/systemd/journal/socket; fi
        if [ -n "$2" ]; then : >/run/dev/log; mount --bind "$2" /run/dev/log; fi
        mount --rbind /run/dev /dev
        shift 2
        exec "$@"
        """;

    [OneTimeSetUp]
    public void OnlyOcirun() => Requires.OcirunItself();

    [TestCase("journald:engine", "engine")]
    [TestCase("journald:", "ocirun")]
    public void Journal(string destination, string identifier)
    {
        using NotifySocket journal = new();
        CommandResult result = Run(journal, null, "--log", destination, "--root", "/run/none", "state", "web");
        result.ShouldFail(1).Stderr.Should().Be("container does not exist\n");
        journal.Receive().Text.Should().Be($"MESSAGE=container does not exist\nPRIORITY=3\nSYSLOG_IDENTIFIER={identifier}\nID=web\n");
        journal.IsQuiet.Should().BeTrue("a failure is one record");
    }

    [Test]
    public void A_message_of_several_lines_goes_with_its_length()
    {
        using NotifySocket journal = new();
        using TemporaryBundle bundle = new();
        CommandResult result = Run(journal, null, "--log=journald:x", "--root", "/run/none", "create", "-b", bundle.Path, "web");
        string message = result.ShouldFail(1).Stderr.TrimEnd('\n');
        message.Should().Contain("\n", "the configuration has two faults");
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, message.Length);
        journal.Receive().Text.Should()
            .Be($"MESSAGE\n{Encoding.UTF8.GetString(length)}{message}\nPRIORITY=3\nSYSLOG_IDENTIFIER=x\nID=web\n");
    }

    [Test]
    public void What_no_datagram_can_hold_goes_as_a_sealed_file()
    {
        using NotifySocket journal = new();
        // A message has a bound, but so have sockets: net.core.wmem_default.
        string[] strace = [Requires.Tool("strace"), "-o", "/dev/null", "-e", "trace=sendmsg", "-e", "inject=sendmsg:error=EMSGSIZE:when=1"];
        Command.Run("unshare", ["--mount", "sh", "-euc", Places, "sh", journal.Name, "", .. strace, Ocirun.Binary.Path, "--log=journald:x",
            "--log-format=json", new('x', 20_000)]).ShouldFail(1);
        (string text, int fd) = journal.Receive();
        text.Should().BeEmpty();
        fd.Should().BePositive();
        using FileStream file = new(new Microsoft.Win32.SafeHandles.SafeFileHandle(fd, true), FileAccess.Read);
        (Libc.fcntl(fd, Libc.F_GET_SEALS, 0) & 15).Should().Be(15, "journald takes only what nobody can change any more (F_GET_SEALS)");
        file.Position = 0;
        string entry = new StreamReader(file).ReadToEnd();
        entry.Should()
            .StartWith("MESSAGE={\"level\":\"error\",\"msg\":\"unknown command").And.EndWith("\nPRIORITY=3\nSYSLOG_IDENTIFIER=x\n");
        entry.Length.Should().BeGreaterThan(20_000);
    }

    [Test]
    public void Debug_records_have_their_priority_and_come_before_the_last()
    {
        using NotifySocket journal = new();
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        bundle.Save();
        Run(journal, null, "--debug", "--log=journald:x", "--root", container.StateRoot, "create", "-b", bundle.Directory, container.Id)
            .ShouldSucceed().Stderr.Should().BeEmpty();
        journal.Receive().Text.Should().Contain("\nPRIORITY=7\n").And.EndWith($"\nID={container.Id}\n");
    }

    [TestCase("syslog:engine", "engine")]
    [TestCase("syslog:", "web", Description = "crun's default is the container")]
    public void Syslog(string destination, string tag)
    {
        using NotifySocket syslog = new();
        DateTime before = DateTime.Now.AddSeconds(-1);
        Run(null, syslog, "--log", destination, "--root", "/run/none", "state", "web").ShouldFail(1).Stderr.Should()
            .Be("container does not exist\n");
        string record = syslog.Receive().Text;
        record.Should().MatchRegex($"^<11>[A-Z][a-z]{{2}} [ 123][0-9] [0-9:]{{8}} {tag}: container does not exist$");
        DateTime.ParseExact(record[4..19], "MMM d HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.AllowInnerWhite).Should()
            .BeOnOrAfter(before).And.BeOnOrBefore(DateTime.Now);
        syslog.IsQuiet.Should().BeTrue();
    }

    [Test]
    public void Syslog_uses_the_hosts_time_zone()
    {
        using NotifySocket syslog = new();
        CommandOptions far = new() { Env = new Dictionary<string, string?> { ["TZ"] = "XYZ-05:30" } };
        Run(null, syslog, far, "--log", "syslog:x", "--root", "/run/none", "state", "web").ShouldFail(1);
        DateTime there = DateTime.ParseExact(syslog.Receive().Text[4..19], "MMM d HH:mm:ss", CultureInfo.InvariantCulture,
            DateTimeStyles.AllowInnerWhite);
        there.Should().BeCloseTo(DateTime.UtcNow.AddMinutes(330), TimeSpan.FromMinutes(1));
    }

    [Test]
    public void A_syslog_record_is_one_line_that_rsyslog_takes_whole()
    {
        using NotifySocket syslog = new();
        using TemporaryBundle bundle = new();
        Run(null, syslog, "--log=syslog:x\n<0>y", "--root", "/run/none", "create", "-b", bundle.Path, "web").ShouldFail(1);
        syslog.Receive().Text.Should().Contain(" x\\n<0>y: ocirun create failed: ").And.Contain("\\n").And.NotContain("\n");
        Run(null, syslog, "--log=syslog:x", $"{new string('é', 10_000)}").ShouldFail(1);
        string cut = syslog.Receive().Text;
        Encoding.UTF8.GetByteCount(cut).Should().BeInRange(8191, 8192);
        cut.Should().EndWith("é");
    }

    [Test]
    public void Json_is_the_message_as_with_crun()
    {
        using NotifySocket syslog = new();
        Run(null, syslog, "--log=syslog:x", "--log-format=json", "--root", "/run/none", "state", "web").ShouldFail(1);
        string record = syslog.Receive().Text;
        JsonDocument.Parse(record[record.IndexOf('{')..]).RootElement.GetProperty("msg").GetString().Should()
            .Be("container does not exist");
    }

    [TestCase("journald:x")]
    [TestCase("syslog:x")]
    public void A_service_that_is_not_there_is_no_reason_to_fail(string destination)
    {
        Run(null, null, "--log", destination, "--debug", "list").ShouldSucceed().Stderr.Should().BeEmpty();
        Run(null, null, "--log", destination, "--root", "/run/none", "state", "web").ShouldFail(1).Stderr.Should()
            .Be("container does not exist\n");
    }

    private static CommandResult Run(NotifySocket? journal, NotifySocket? syslog, params string[] args) =>
        Run(journal, syslog, new CommandOptions(), args);

    private static CommandResult Run(NotifySocket? journal, NotifySocket? syslog, CommandOptions options, params string[] args) =>
        Command.Run("unshare",
        ["--mount", "sh", "-euc", Places, "sh", journal?.Name ?? "", syslog?.Name ?? "", Ocirun.Binary.Path, .. args], options);

    [MeasuresTime]
    [Test]
    public void A_journal_that_hangs_does_not_hang_the_command()
    {
        using NotifySocket journal = new();
        using Socket other = new(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        other.Blocking = false;
        other.Connect(new UnixDomainSocketEndPoint(journal.Name));
        FluentActions.Invoking(() => Enumerable.Range(0, 100_000).ToList().ForEach(_ => other.Send("x"u8))).Should()
            .Throw<SocketException>("the queue is full");
        CommandResult result = Run(journal, null, "--log=journald:x", "--root", "/run/none", "state", "web");
        result.ShouldFail(1).Stderr.Should().Be("container does not exist\n");
        result.Duration.Should().BeGreaterThan(TimeSpan.FromSeconds(0.9)).And.BeLessThan(TimeSpan.FromSeconds(10));
    }

    /// <summary>A bundle with two faults, which are told on lines of their own.</summary>
    private sealed class TemporaryBundle : IDisposable
    {
        public TemporaryBundle() => File.WriteAllText(System.IO.Path.Combine(Path, "config.json"), """{"ociVersion": 1, "root": 2}""");

        public string Path { get; } = TestRun.NewDirectory("bundles");

        public void Dispose() => Cleaner.DeleteTree(Path);
    }
}
