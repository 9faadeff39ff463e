using System.Buffers;
using System.Text.Json;
using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary>
/// <c>ocirun features</c>: the features document of the runtime specification. It tells what this build can do, not what this host can;
/// clients refuse configurations by it, so a feature is listed once it works.
/// </summary>
internal static class FeaturesCommand
{
    private static readonly string[] HookKinds = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];

    public static int Run(GlobalOptions _, FeaturesOptions __)
    {
        Output.Write(Document());
        return ExitCodes.Success;
    }

    internal static ReadOnlySpan<byte> Document()
    {
        ArrayBufferWriter<byte> buffer = new(8192);
        using (Utf8JsonWriter w = new(buffer, ContainerState.Compact with { Indented = true, IndentSize = 4 })) // As wide as runc's.
        {
            w.WriteStartObject();
            w.WriteString("ociVersionMin"u8, "1.0.0"u8);
            w.WriteString("ociVersionMax"u8, "1.3.0"u8);
            WriteStrings(w, "hooks"u8, HookKinds);
            WriteStrings(w, "mountOptions"u8, MountOptions.Words);
            WriteLinux(w);
            w.WriteStartObject("annotations"u8);
            // containerd looks for this name whatever the runtime is called; crun sets it too.
            w.WriteString("org.opencontainers.runc.checkpoint.enabled"u8, "true"u8);
            w.WriteEndObject();
            WriteStrings(w, "potentiallyUnsafeConfigAnnotations"u8, Annotations.Honoured);
            w.WriteEndObject();
        }
        buffer.Write("\n"u8);
        return buffer.WrittenSpan;
    }

    private static void WriteLinux(Utf8JsonWriter w)
    {
        w.WriteStartObject("linux"u8);
        WriteStrings(w, "namespaces"u8, Sorted(NamespaceNames.All));
        WriteStrings(w, "capabilities"u8, CapabilityNames.All);
        w.WriteStartObject("cgroup"u8);
        w.WriteBoolean("v1"u8, true);
        w.WriteBoolean("v2"u8, true);
        w.WriteBoolean("systemd"u8, true);
        w.WriteBoolean("systemdUser"u8, true);
        w.WriteBoolean("rdma"u8, true);
        w.WriteEndObject();
        WriteSeccomp(w);
        WriteEnabled(w, "apparmor"u8, true);
        WriteEnabled(w, "selinux"u8, true);
        w.WriteStartObject("intelRdt"u8);
        w.WriteBoolean("enabled"u8, true);
        w.WriteBoolean("schemata"u8, true);
        w.WriteBoolean("monitoring"u8, true);
        w.WriteEndObject();
        w.WriteStartObject("memoryPolicy"u8);
        WriteStrings(w, "modes"u8, Sorted(SpecWords.MemoryPolicyModes));
        WriteStrings(w, "flags"u8, Sorted(SpecWords.MemoryPolicyFlags));
        w.WriteEndObject();
        w.WriteStartObject("mountExtensions"u8);
        WriteEnabled(w, "idmap"u8, true);
        w.WriteEndObject();
        WriteEnabled(w, "netDevices"u8, true);
        w.WriteEndObject();
    }

    private static void WriteSeccomp(Utf8JsonWriter w)
    {
        w.WriteStartObject("seccomp"u8);
        w.WriteBoolean("enabled"u8, true);
        WriteStrings(w, "actions"u8, Sorted(SpecWords.SeccompActions));
        WriteStrings(w, "operators"u8, Sorted(SpecWords.SeccompOperators));
        WriteStrings(w, "archs"u8, Sorted(Array.FindAll(SpecWords.SeccompArchitectures, SeccompArchs.CanServe)));
        WriteStrings(w, "knownFlags"u8, Sorted(SpecWords.SeccompFlags));
        WriteStrings(w, "supportedFlags"u8, Sorted(Array.FindAll(SpecWords.SeccompFlags, SeccompWords.KernelKnows)));
        w.WriteEndObject();
    }

    private static string[] Sorted(string[] words)
    {
        string[] sorted = [.. words];
        Array.Sort(sorted, StringComparer.Ordinal);
        return sorted;
    }

    private static void WriteEnabled(Utf8JsonWriter w, ReadOnlySpan<byte> name, bool enabled)
    {
        w.WriteStartObject(name);
        w.WriteBoolean("enabled"u8, enabled);
        w.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter w, ReadOnlySpan<byte> name, string[] items)
    {
        w.WriteStartArray(name);
        foreach (string item in items) w.WriteStringValue(item);
        w.WriteEndArray();
    }
}
