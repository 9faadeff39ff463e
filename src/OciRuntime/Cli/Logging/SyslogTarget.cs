using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>The host's syslog daemon, in the form of syslog(3) (RFC 3164, facility "user").</summary>
internal sealed class SyslogTarget(string name, GlobalOptions globals) : ServiceTarget("/dev/log", globals.LogFormat)
{
    private const int FacilityUser = 1 << 3;

    /// <summary>What rsyslog reads of one message unless told otherwise.</summary>
    private const int MaxLength = 8192;

    private readonly string _tag =
        LogRecord.Escape(name.Length > 0 ? name : globals.ContainerId is { Length: > 0 } id ? id : CommandLineReader.ProgramName);

    public override void Write(LogLevel level, string message, DateTime utc)
    {
        // The day is padded with a blank. A record is one line: what is escaped cannot pretend to be another one.
        DateTime local = LocalTime.Of(utc);
        string time = string.Create(CultureInfo.InvariantCulture, $"{local:MMM} {local.Day,2} {local:HH:mm:ss}");
        string body = Format == LogFormat.Json ? Body(level, message, utc) : LogRecord.Escape(message);
        Send(Cut(Encoding.UTF8.GetBytes($"<{FacilityUser | Severity(level)}>{time} {_tag}: {body}")));
    }

    private static ReadOnlySpan<byte> Cut(ReadOnlySpan<byte> record)
    {
        if (record.Length <= MaxLength) return record;
        int end = MaxLength;
        // Not within a character.
        while ((record[end] & 0xc0) == 0x80) end--;
        return record[..end];
    }
}
