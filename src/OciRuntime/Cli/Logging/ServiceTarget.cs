using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>
/// A log daemon behind a datagram socket. When it is not there its records are lost, as with crun; an error is on standard error anyway.
/// </summary>
internal abstract class ServiceTarget : LogTarget
{
    private readonly Fd _socket;

    protected ServiceTarget(string path, LogFormat format)
    {
        Format = format;
        _socket = new((int)Sockets.Create(Sockets.SOCK_DGRAM));
        if (!_socket.IsOpen) return;
        // A daemon that hangs must not hang a container.
        if (Sockets.SetSendTimeout(_socket.Number, milliseconds: 1000) < 0 || Sockets.Connect(_socket.Number, path) < 0) _socket.Dispose();
    }

    protected LogFormat Format { get; }

    public override void Dispose() => _socket.Dispose();

    /// <summary>Sends one datagram, with a descriptor unless <paramref name="passed"/> is negative.</summary>
    /// <returns>A negated errno on failure.</returns>
    protected long Send(ReadOnlySpan<byte> datagram, int passed = -1)
    {
        if (!_socket.IsOpen) return -Errno.ENOTCONN;
        long result = Sockets.Send(_socket.Number, datagram, passed);
        // It has had its second; --debug would wait as often as it has something to say.
        if (result == -Errno.EAGAIN) _socket.Dispose();
        return result;
    }

    /// <summary>The severities of syslog(3), which the journal has, too.</summary>
    protected static int Severity(LogLevel level) => level switch
    {
        LogLevel.Error => 3,
        LogLevel.Warning => 4,
        LogLevel.Info => 6,
        _ => 7,
    };

    /// <summary>What is sent as the message: services have a time and a level of their own, so that plain text needs neither.</summary>
    protected string Body(LogLevel level, string message, DateTime utc) =>
        Format != LogFormat.Json ? LogRecord.Bare(message)
        : Encoding.UTF8.GetString(LogRecord.Format(Format, level, message, utc)).TrimEnd('\n');
}
