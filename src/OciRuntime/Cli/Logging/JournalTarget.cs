using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Cli;

/// <summary>systemd's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).</summary>
internal sealed class JournalTarget(string name, GlobalOptions globals) : ServiceTarget("/run/systemd/journal/socket", globals.LogFormat)
{
    private readonly string? _containerId = globals.ContainerId;

    public override void Write(LogLevel level, string message, DateTime utc)
    {
        ArrayBufferWriter<byte> entry = new();
        Field(entry, "MESSAGE", Body(level, message, utc));
        Field(entry, "PRIORITY", Severity(level).ToString());
        Field(entry, "SYSLOG_IDENTIFIER", name.Length > 0 ? name : CommandLineReader.ProgramName);
        // crun's name for it. Docker and Podman take entries with a CONTAINER_ID for what the container itself has printed.
        if (_containerId is { Length: > 0 } id) Field(entry, "ID", id);
        if (Send(entry.WrittenSpan) is -Errno.EMSGSIZE or -Errno.ENOBUFS) SendFile(entry.WrittenSpan);
    }

    private static void Field(ArrayBufferWriter<byte> entry, string field, string text)
    {
        byte[] value = Encoding.UTF8.GetBytes(text);
        entry.Write(Encoding.UTF8.GetBytes(field));
        if (text.Contains('\n'))
        {
            entry.Write("\n"u8);
            BinaryPrimitives.WriteUInt64LittleEndian(entry.GetSpan(8), (ulong)value.Length);
            entry.Advance(8);
        }
        else
        {
            entry.Write("="u8);
        }
        entry.Write(value);
        entry.Write("\n"u8);
    }

    /// <summary>An entry that no datagram can hold goes as a file that nobody can change any more.</summary>
    private void SendFile(ReadOnlySpan<byte> entry)
    {
        using Fd file = new((int)Files.CreateMemory("ocirun-log", mayBeSealed: true));
        if (!file.IsOpen || Files.WriteAll(file.Number, entry) < 0) return;
        if (Files.Fcntl(file.Number, Files.F_ADD_SEALS, Files.ALL_SEALS) == 0) Send([], file.Number);
    }
}
