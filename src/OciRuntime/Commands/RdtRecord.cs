using System.Globalization;
using System.Text.Json;
using OciRuntime.Rdt;

namespace OciRuntime.Commands;

/// <summary>The part <c>intel_rdt</c> of a record of `events`.</summary>
internal static class RdtRecord
{
    public static void Write(Utf8JsonWriter w, ResctrlStats rdt)
    {
        WriteInfo(w, "l3_cache_info", rdt.L3Info);
        WriteLine(w, "l3_cache_schema_root", rdt.RootSchemata, "L3");
        WriteLine(w, "l3_cache_schema", rdt.Schemata, "L3");
        WriteInfo(w, "mem_bw_info", rdt.BandwidthInfo);
        WriteLine(w, "mem_bw_schema_root", rdt.RootSchemata, "MB");
        WriteLine(w, "mem_bw_schema", rdt.Schemata, "MB");
        if (rdt.Schemata.Length > 0)
        {
            w.WriteStartArray("schemata"u8);
            foreach (string line in rdt.Schemata) w.WriteStringValue(line);
            w.WriteEndArray();
        }
        WriteDomains(w, "mbm_stats", ("mbm_total_bytes", rdt.TotalBytes), ("mbm_local_bytes", rdt.LocalBytes));
        WriteDomains(w, "cmt_stats", ("llc_occupancy", rdt.Occupancy));
    }

    private static void WriteInfo(Utf8JsonWriter w, string name, Dictionary<string, string> info)
    {
        if (info.Count == 0) return;
        w.WriteStartObject(name);
        foreach (KeyValuePair<string, string> file in info)
        {
            // The mask is hexadecimal text, all others are numbers.
            if (file.Key == "cbm_mask") w.WriteString(file.Key, file.Value);
            else if (ulong.TryParse(file.Value, NumberStyles.None, null, out ulong value) && value != 0) w.WriteNumber(file.Key, value);
        }
        w.WriteEndObject();
    }

    private static void WriteLine(Utf8JsonWriter w, string name, string[] schemata, string resource)
    {
        if (ResctrlStats.Line(schemata, resource) is { } line) w.WriteString(name, line);
    }

    private static void WriteDomains(Utf8JsonWriter w, string name, params ReadOnlySpan<(string Key, List<ulong>? Values)> counters)
    {
        int domains = 0;
        foreach ((_, List<ulong>? values) in counters) domains = Math.Max(domains, values?.Count ?? 0);
        if (domains == 0) return;
        w.WriteStartArray(name);
        for (int i = 0; i < domains; i++)
        {
            w.WriteStartObject();
            foreach ((string key, List<ulong>? values) in counters)
            {
                if (values is not null && i < values.Count && values[i] != 0) w.WriteNumber(key, values[i]);
            }
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }
}
