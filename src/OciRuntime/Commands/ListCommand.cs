using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun list</c>. One container that cannot be read does not hide the others.</summary>
internal static class ListCommand
{
    // Annotations of thousands of containers are more than the heap has room for: what is read is written before there is too much of it.
    private const int ChunkBytes = 64 << 10;

    // State is null when the journal cannot be understood; then Problem tells why.
    private sealed record Row(string Id, ContainerState? State, ContainerStatus Status, string Owner, string Problem);

    public static int Run(GlobalOptions g, ListOptions o)
    {
        Render(new ContainerStore(StateRoot.Resolve(g.Root)), o, Output.Write);
        return ExitCodes.Success;
    }

    /// <param name="store">The containers.</param>
    /// <param name="o">What is wanted of them.</param>
    /// <param name="write">Takes the text, in one piece or several.</param>
    internal static void Render(ContainerStore store, ListOptions o, Action<string> write)
    {
        List<string> ids = store.List();
        if (o.Quiet) write(Ids(store, ids));
        else if (o.Format == ListFormat.Json) Json(Rows(store, ids), write);
        else write(Columns(Rows(store, ids)));
    }

    /// <summary>One after the other: who is done with a row lets it go.</summary>
    private static IEnumerable<Row> Rows(ContainerStore store, List<string> ids)
    {
        OwnerNames owners = new();
        foreach (string id in ids) if (Look(store, id, owners) is { } row) yield return row;
    }

    private static Row? Look(ContainerStore store, string id, OwnerNames owners)
    {
        string owner = "";
        try
        {
            using ContainerEntry? entry = store.TryOpen(id);
            if (entry is null) return null; // Deleted since the directory was read.
            owner = owners.Of(entry);
            // Without a journal a container is about to come or to go; runc leaves it out as well.
            return entry.TryReadState() is { } state ? new Row(id, state, entry.Probe(state), owner, "") : null;
        }
        catch (OciException e)
        {
            return new Row(id, null, default, owner, e.Message);
        }
    }

    private static string Ids(ContainerStore store, List<string> ids)
    {
        StringBuilder text = new();
        foreach (string id in ids)
        {
            using ContainerEntry? entry = store.TryOpen(id);
            if (entry is { HasJournal: true }) text.Append(id).Append('\n');
        }
        return text.ToString();
    }

    private static string Columns(IEnumerable<Row> rows)
    {
        Table table = new("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
        foreach (Row row in rows)
        {
            if (row.State is { } state)
            {
                string pid = StateDocument.Pid(state, row.Status).ToString(CultureInfo.InvariantCulture);
                table.Add(row.Id, pid, row.Status.Name(), VisibleText.Line(state.Bundle), VisibleText.Line(state.Created),
                    VisibleText.Line(row.Owner));
            }
            else
            {
                table.Add(row.Id, "-", VisibleText.Line($"unreadable: {row.Problem}"), "-", "-", VisibleText.Line(row.Owner));
            }
        }
        return table.ToString();
    }

    private static void Json(IEnumerable<Row> rows, Action<string> write)
    {
        ArrayBufferWriter<byte> buffer = new(4096);
        using Utf8JsonWriter w = new(buffer, ContainerState.Compact);
        foreach (Row row in rows)
        {
            if (w.BytesCommitted == 0) w.WriteStartArray();
            if (row.State is { } state) StateDocument.Write(w, state, row.Status, row.Owner);
            else WriteUnreadable(w, row);
            w.Flush();
            if (buffer.WrittenCount < ChunkBytes) continue;
            write(Encoding.UTF8.GetString(buffer.WrittenSpan));
            buffer.ResetWrittenCount();
        }
        if (w.BytesCommitted == 0) w.WriteNullValue(); // Go's encoding of a nil slice.
        else w.WriteEndArray();
        w.Flush();
        write(Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n");
    }

    /// <summary>All the keys of a readable entry, so that clients need not know the case, and the reason.</summary>
    private static void WriteUnreadable(Utf8JsonWriter w, Row row)
    {
        w.WriteStartObject();
        w.WriteString("ociVersion"u8, ""u8);
        w.WriteString("id"u8, row.Id);
        w.WriteNumber("pid"u8, 0);
        w.WriteString("status"u8, "unreadable"u8);
        w.WriteString("bundle"u8, ""u8);
        w.WriteString("rootfs"u8, ""u8);
        w.WriteString("created"u8, Timestamp.Zero);
        w.WriteString("owner"u8, row.Owner);
        w.WriteString("reason"u8, row.Problem);
        w.WriteEndObject();
    }
}
