using System.Text;
using System.Text.Json;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

[NonParallelizable]
public sealed class LoggerTests
{
    private static readonly DateTime Noon = new(2026, 3, 4, 12, 0, 0, DateTimeKind.Utc);

    [Test]
    public void Text_record() =>
        Record(LogFormat.Text, "a \"b\" é\n\u001b[0m\\").Should()
        .Be("time=\"2026-03-04T12:00:00.000000Z\" level=error msg=\"a \\\"b\\\" é\\n\\x1b[0m\\\\\"\n");

    [Test]
    public void Json_record_is_one_legible_line() =>
        Record(LogFormat.Json, "a 'b' \"c\" é <x>\n").Should()
        .Be("{\"level\":\"error\",\"msg\":\"a 'b' \\\"c\\\" é <x>\\n\",\"time\":\"2026-03-04T12:00:00.000000Z\"}\n");

    /// <summary>As bytes of the record, whatever its letters take: a pipe that nobody reads yet has 64 KiB.</summary>
    [Test]
    public void A_long_record_fits_into_a_pipe(
        [Values("a", "\u20ac", "\"", "\u202e", "\ud83d\ude00", "\ud800")] string letter, [Values] LogFormat format)
    {
        foreach (int count in (int[])[1000, 20_000, 49_000, 500_000])
        {
            string message = "doing: " + new StringBuilder().Insert(0, letter, count) + ": reason";
            string record = Record(format, message), bare = LogRecord.Bare(message);
            foreach (string written in (string[])[record, bare])
            {
                int bytes = Encoding.UTF8.GetByteCount(written);
                bytes.Should().BeLessThanOrEqualTo(48 << 10);
                written.Should().Contain("doing: ").And.Contain(": reason");
                if (count == 1000) written.Should().NotContain(" [...] ");
                if (count < 500_000) continue;
                bytes.Should().BeGreaterThan(40 << 10, "no more is left out than need be");
                written.Should().Contain(" [...] ");
            }
            if (format == LogFormat.Json) JsonDocument.Parse(record).Dispose();
        }
    }

    [Test]
    public void Half_a_surrogate_pair_does_not_lose_the_record()
    {
        foreach (LogFormat format in Enum.GetValues<LogFormat>()) Record(format, "x\ud800y").Should().Contain("x\ufffdy");
    }

    [Test]
    public void The_log_file_exists_even_when_nothing_is_logged()
    {
        using TemporaryFile file = new();
        using (Logger log = Logger.Open(new() { Log = "file:" + file.Path }))
        {
            log.Append(LogLevel.Info, "below the default level");
            log.Level.Should().Be(LogLevel.Warning, "the specification has warnings that MUST be logged");
        }

        File.ReadAllText(file.Path).Should().BeEmpty();
        Ok.Call(Syscall.stat(file.Path, out Stat stat));
        (stat.st_mode & FilePermissions.ALLPERMS & ~FilePermissions.DEFFILEMODE).Should().Be(0);
        stat.st_mode.Should().HaveFlag(FilePermissions.S_IRUSR | FilePermissions.S_IWUSR);
        (stat.st_mode & (FilePermissions.S_IWGRP | FilePermissions.S_IWOTH)).Should().Be(0);
    }

    [Test]
    public void A_failure_is_one_record_in_the_file_and_the_bare_message_on_standard_error()
    {
        using TemporaryFile file = new();
        using CapturedStandardError stderr = new();
        File.WriteAllText(file.Path, "{}\n");
        using (Logger log = Logger.Open(new() { Log = file.Path, LogFormat = LogFormat.Json }))
        {
            log.Error("ocirun create failed: \"x\"");
        }

        stderr.Text.Should().Be("ocirun create failed: \"x\"\n");
        string[] lines = File.ReadAllLines(file.Path);
        lines.Should().HaveCount(2, "the log is appended to");
        JsonElement record = JsonDocument.Parse(lines[1]).RootElement;
        record.GetProperty("level").GetString().Should().Be("error");
        record.GetProperty("msg").GetString().Should().Be("ocirun create failed: \"x\"");
        record.GetProperty("time").GetDateTime().Should().BeCloseTo(DateTime.UtcNow, TimeSpan.FromMinutes(1));
    }

    [Test]
    public void What_a_bundle_is_called_does_not_command_the_terminal()
    {
        using TemporaryFile file = new();
        using CapturedStandardError stderr = new();
        using (Logger log = Logger.Open(new() { Log = file.Path }))
        {
            log.Error("2 problems:\n  \"\u001b[2J\u009b\r\"");
        }

        stderr.Text.Should().Be("2 problems:\n  \"\\x1b[2J\\u009b\\r\"\n");
    }

    [Test]
    public void Without_a_file_the_record_goes_to_standard_error()
    {
        using CapturedStandardError stderr = new();
        using (Logger log = Logger.Open(new() { Log = "" }))
        {
            log.Error("no");
            log.Append(LogLevel.Info, "not this");
        }

        stderr.Text.Should().MatchRegex("^time=\"[^\"]+\" level=error msg=\"no\"\n$");
    }

    [TestCase(LogLevel.Error, false, "error")]
    [TestCase(LogLevel.Warning, false, "error,warning")]
    [TestCase(LogLevel.Info, false, "error,warning,info")]
    [TestCase(LogLevel.Debug, false, "error,warning,info,debug")]
    [TestCase(LogLevel.Error, true, "error,warning,info,debug")]
    public void Levels(LogLevel level, bool debug, string expected)
    {
        using CapturedStandardError stderr = new();
        using Logger log = Logger.Open(new() { LogLevel = level, Debug = debug });
        log.Error("x");
        log.Warning("x");
        log.Append(LogLevel.Info, "x");
        log.Debug("x");
        string.Join(',', stderr.Text.TrimEnd().Split('\n').Select(l => l.Split("level=")[1].Split(' ')[0])).Should().Be(expected);
    }

    [TestCase("/nonexistent/log", "open log file /nonexistent/log: no such file or directory")]
    [TestCase("/", "open log file /: is a directory")]
    public void Impossible_destinations(string destination, string message) =>
        FluentActions.Invoking(() => Logger.Open(new() { Log = destination })).Should().Throw<UsageException>().WithMessage(message);

    private static string Record(LogFormat format, string message) =>
        Encoding.UTF8.GetString(LogRecord.Format(format, LogLevel.Error, message, Noon));
}
