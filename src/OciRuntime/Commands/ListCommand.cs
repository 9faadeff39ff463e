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
    // State is null when the journal cannot be understood; then Problem tells why.
    private sealed record Row(string Id, ContainerState? State, ContainerStatus Status, string Owner, string Problem);

    public static int Run(GlobalOptions g, ListOptions o)
    {
        Output.Write(Render(new ContainerStore(StateRoot.Resolve(g.Root)), o));
        return ExitCodes.Success;
    }

    internal static string Render(ContainerStore store, ListOptions o)
    {
        List<string> ids = store.List();
        if (o.Quiet) return Ids(store, ids);
        List<Row> rows = Read(store, ids);
        return o.Format == ListFormat.Json ? Json(rows) : Columns(rows);
    }

    private static List<Row> Read(ContainerStore store, List<string> ids)
    {
        List<Row> rows = new(ids.Count);
        OwnerNames owners = new();
        foreach (string id in ids)
        {
            string owner = "";
            try
            {
                using ContainerEntry? entry = store.TryOpen(id);
                if (entry == null) continue; // Deleted since the directory was read.
                owner = owners.Of(entry);
                if (entry.TryReadState() is { } state) rows.Add(new Row(id, state, entry.Probe(state), owner, ""));
                // Without a journal a container is about to come or to go; runc leaves it out as well.
            }
            catch (OciException e)
            {
                rows.Add(new Row(id, null, default, owner, e.Message));
            }
        }
        return rows;
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

    private static string Columns(List<Row> rows)
    {
        Table table = new("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
        foreach (Row row in rows)
        {
            if (row.State is { } state)
            {
                string pid = StateDocument.Pid(state, row.Status).ToString(CultureInfo.InvariantCulture);
                table.Add(row.Id, pid, row.Status.Name(), VisibleText.Line(state.Bundle), VisibleText.Line(state.Created), VisibleText.Line(row.Owner));
            }
            else
            {
                table.Add(row.Id, "-", VisibleText.Line($"unreadable: {row.Problem}"), "-", "-", VisibleText.Line(row.Owner));
            }
        }
        return table.ToString();
    }

    private static string Json(List<Row> rows)
    {
        if (rows.Count == 0) return "null\n"; // Go's encoding of a nil slice.
        ArrayBufferWriter<byte> buffer = new(4096);
        using (Utf8JsonWriter w = new(buffer, ContainerState.Compact))
        {
            w.WriteStartArray();
            foreach (Row row in rows)
            {
                if (row.State is { } state) StateDocument.Write(w, state, row.Status, row.Owner);
                else WriteUnreadable(w, row);
            }
            w.WriteEndArray();
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan) + "\n";
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
