using System.Buffers;
using System.Text.Json;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>The table of <c>top</c> for programs: a JSON array on one line. What is not known is null.</summary>
internal static class TopRecord
{
    public static ReadOnlySpan<byte> Line(List<TopRow> rows)
    {
        ArrayBufferWriter<byte> buffer = new(256 * (rows.Count + 1));
        using (Utf8JsonWriter w = new(buffer, ContainerState.Compact))
        {
            w.WriteStartArray();
            foreach (TopRow row in rows) Write(w, row);
            w.WriteEndArray();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void Write(Utf8JsonWriter w, TopRow row)
    {
        w.WriteStartObject();
        w.WriteString("id"u8, row.Id);
        w.WriteString("status"u8, row.Status);
        Number(w, "cpuPercent"u8, row.Cpu);
        Number(w, "memoryBytes"u8, row.Usage.Memory);
        Number(w, "memoryLimitBytes"u8, row.Usage.MemoryLimit);
        Number(w, "pids"u8, row.Usage.Pids);
        Number(w, "pidsLimit"u8, row.Usage.PidsLimit);
        Number(w, "readBytesPerSecond"u8, row.Read);
        Number(w, "writeBytesPerSecond"u8, row.Written);
        w.WriteEndObject();
    }

    private static void Number(Utf8JsonWriter w, ReadOnlySpan<byte> name, double? value)
    {
        if (value is { } number) w.WriteNumber(name, Math.Round(number, 2));
        else w.WriteNull(name);
    }

    private static void Number(Utf8JsonWriter w, ReadOnlySpan<byte> name, ulong? value)
    {
        if (value is { } number) w.WriteNumber(name, number);
        else w.WriteNull(name);
    }
}
