using System.Buffers;
using System.Text.Json;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

internal static partial class PlanPrinter
{
    /// <summary>Raised when a member changes its meaning or goes away; new members may come at any time.</summary>
    private const int FormatVersion = 1;

    /// <summary>The explanation for a program; the shape is described in docs/explain.md.</summary>
    public static ReadOnlySpan<byte> Json(Explanation e)
    {
        ArrayBufferWriter<byte> buffer = new(32768);
        using (Utf8JsonWriter w =
            new(buffer, new JsonWriterOptions { Indented = true, Encoder = LegibleJson.Encoder }))
        {
            w.WriteStartObject();
            w.WriteNumber("version"u8, FormatVersion);
            w.WriteString("id"u8, e.Id);
            w.WriteString("bundle"u8, e.Bundle);
            w.WriteString("config"u8, e.Config);
            w.WriteString("rootfs"u8, e.Rootfs);
            WriteStrings(w, "warnings"u8, e.Warnings);
            WriteActions(w, "prepare"u8, e.Prepare);
            WriteStrings(w, "deviceRules"u8, e.DeviceRules);
            WriteStrings(w, "deviceProgram"u8, e.DeviceProgram);
            WriteClone(w, e);
            WriteSteps(w, e);
            WriteProcess(w, e.Plan);
            WriteActions(w, "start"u8, e.Start);
            WriteActions(w, "delete"u8, e.Delete);
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void WriteClone(Utf8JsonWriter w, Explanation e)
    {
        w.WriteStartObject("clone"u8);
        WriteStrings(w, "flags"u8, FlagNames(e.Plan.CloneFlags));
        w.WriteString("cgroup"u8, e.BornIn);
        w.WriteString("pidNamespace"u8, e.Plan.PidNamespace?.Path);
        if (e.Adopt.Count > 0) WriteActions(w, "runtime"u8, e.Adopt);
        w.WriteEndObject();
    }

    private static void WriteSteps(Utf8JsonWriter w, Explanation e)
    {
        w.WriteStartArray("steps"u8);
        for (int i = 0; i < e.Plan.Steps.Count; i++)
        {
            PlanStep step = e.Plan.Steps[i];
            w.WriteStartObject();
            w.WriteNumber("number"u8, i + 1);
            w.WriteString("op"u8, OpName(step.Op));
            WriteAction(w, step.Describe(), step.Origin.ToString());
            if (e.Answers(step) is { Count: > 0 } answers) WriteActions(w, "runtime"u8, answers);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static string OpName(InitOp op)
    {
        string name = op.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    private static void WriteProcess(Utf8JsonWriter w, LaunchPlan plan)
    {
        w.WriteStartObject("process"u8);
        WriteStrings(w, "args"u8, plan.Arguments);
        WriteStrings(w, "env"u8, plan.Environment);
        w.WriteBoolean("homeFromImage"u8, plan.HomeFromImage);
        w.WriteEndObject();
    }

    private static void WriteActions(Utf8JsonWriter w, ReadOnlySpan<byte> name, List<RuntimeAction> actions)
    {
        w.WriteStartArray(name);
        foreach (RuntimeAction action in actions)
        {
            w.WriteStartObject();
            WriteAction(w, VisibleText.Line(action.Text), action.Pointer);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }

    private static void WriteAction(Utf8JsonWriter w, string text, string pointer)
    {
        w.WriteString("text"u8, text);
        w.WriteString("pointer"u8, pointer.Length == 0 ? null : pointer);
    }

    private static void WriteStrings(Utf8JsonWriter w, ReadOnlySpan<byte> name, IReadOnlyList<string> items)
    {
        w.WriteStartArray(name);
        foreach (string item in items) w.WriteStringValue(item);
        w.WriteEndArray();
    }
}
