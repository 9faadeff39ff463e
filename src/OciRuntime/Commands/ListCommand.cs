using System.Buffers;
using System.Globalization;
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
        ContainerStore store = new(StateRoot.Resolve(g.Root));
        List<string> ids = store.List();
        if (o.Quiet)
        {
            PrintIds(store, ids);
            return ExitCodes.Success;
        }
        List<Row> rows = Read(store, ids);
        if (o.Format == ListFormat.Json) PrintJson(rows);
        else PrintTable(rows);
        return ExitCodes.Success;
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

    private static void PrintIds(ContainerStore store, List<string> ids)
    {
        System.Text.StringBuilder text = new();
        foreach (string id in ids)
        {
            using ContainerEntry? entry = store.TryOpen(id);
            if (entry is { HasJournal: true }) text.Append(id).Append('\n');
        }
        Output.Write(text.ToString());
    }

    private static void PrintTable(List<Row> rows)
    {
        Table table = new("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
        foreach (Row row in rows)
        {
            if (row.State is { } state)
            {
                string pid = StateDocument.Pid(state, row.Status).ToString(CultureInfo.InvariantCulture);
                table.Add(row.Id, pid, row.Status.Name(), state.Bundle, state.Created, row.Owner);
            }
            else
            {
                table.Add(row.Id, "-", $"unreadable: {row.Problem}", "-", "-", row.Owner);
            }
        }
        Output.Write(table.ToString());
    }

    private static void PrintJson(List<Row> rows)
    {
        if (rows.Count == 0)
        {
            Output.Write("null\n"u8); // Go's encoding of a nil slice.
            return;
        }
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
        buffer.Write("\n"u8);
        Output.Write(buffer.WrittenSpan);
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
