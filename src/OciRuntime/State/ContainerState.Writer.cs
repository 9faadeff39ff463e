using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using OciRuntime.Spec;

namespace OciRuntime.State;

internal sealed partial class ContainerState
{
    // What is written is read back by programs only, never pasted into HTML; paths stay legible.
    internal static JsonWriterOptions Compact => new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>The contents of state.json.</summary>
    public ReadOnlySpan<byte> ToJson()
    {
        ArrayBufferWriter<byte> buffer = new(2048);
        using Utf8JsonWriter w = new(buffer, Compact);
        w.WriteStartObject();
        w.WriteNumber("version"u8, Version);
        w.WriteString("id"u8, Id);
        w.WriteString("ociVersion"u8, OciVersion);
        w.WriteString("phase"u8, Phase == ContainerPhase.Created ? "created"u8 : "creating"u8);
        w.WriteNumber("pid"u8, Init.Pid);
        w.WriteNumber("startTime"u8, Init.StartTime);
        w.WriteNumber("creatorPid"u8, Creator.Pid);
        w.WriteNumber("creatorStartTime"u8, Creator.StartTime);
        w.WriteString("created"u8, Created);
        w.WriteString("bundle"u8, Bundle);
        w.WriteString("rootfs"u8, Rootfs);
        if (ConfigPath != null) w.WriteString("configPath"u8, ConfigPath);
        WriteAnnotations(w);
        w.WriteString("cgroupManager"u8, CgroupManager);
        WriteStrings(w, "cgroupDirectories"u8, CgroupDirectories);
        if (CgroupsCreated != null) WriteStrings(w, "cgroupsCreated"u8, CgroupsCreated);
        if (CgroupParents.Length > 0) WriteStrings(w, "cgroupParents"u8, CgroupParents);
        if (ResctrlGroups.Length > 0) WriteStrings(w, "resctrlGroups"u8, ResctrlGroups);
        if (SystemdUnit != null) w.WriteString("systemdUnit"u8, SystemdUnit);
        if (SystemdUser) w.WriteBoolean("systemdUser"u8, true);
        w.WriteBoolean("privatePidNamespace"u8, PrivatePidNamespace);
        w.WriteBoolean("detached"u8, Detached);
        w.WriteBoolean("keep"u8, Keep);
        w.WriteBoolean("keyring"u8, Keyring);
        if (ProtectiveMounts != null)
        {
            w.WriteStartArray("protectiveMounts"u8);
            foreach (ulong number in ProtectiveMounts) w.WriteNumberValue(number);
            w.WriteEndArray();
        }
        w.WriteNumber("ownerUid"u8, OwnerUid);
        if (NotifySocket != null) w.WriteString("notifySocket"u8, NotifySocket);
        if (HostMount is { } mount) WriteHostMount(w, mount);
        if (Poststart.Length + Poststop.Length > 0)
        {
            w.WriteStartObject("hooks"u8);
            WriteHooks(w, "poststart"u8, Poststart);
            WriteHooks(w, "poststop"u8, Poststop);
            w.WriteEndObject();
        }
        w.WriteEndObject();
        w.Flush();
        return buffer.WrittenSpan;
    }

    private void WriteAnnotations(Utf8JsonWriter w)
    {
        if (Annotations.Count == 0) return;
        w.WriteStartObject("annotations"u8);
        foreach (KeyValuePair<string, string> annotation in Annotations) w.WriteString(annotation.Key, annotation.Value);
        w.WriteEndObject();
    }

    private static void WriteHostMount(Utf8JsonWriter w, HostMount mount)
    {
        w.WriteStartObject("hostMount"u8);
        w.WriteNumber("id"u8, mount.Id);
        w.WriteNumber("uniqueId"u8, mount.UniqueId);
        w.WriteNumber("parent"u8, mount.Parent);
        w.WriteNumber("inode"u8, mount.Inode);
        w.WriteNumber("namespace"u8, mount.Namespace);
        w.WriteEndObject();
    }

    private static void WriteStrings(Utf8JsonWriter w, ReadOnlySpan<byte> name, string[] items)
    {
        w.WriteStartArray(name);
        foreach (string item in items) w.WriteStringValue(item);
        w.WriteEndArray();
    }

    private static void WriteHooks(Utf8JsonWriter w, ReadOnlySpan<byte> name, Hook[] hooks)
    {
        if (hooks.Length == 0) return;
        w.WriteStartArray(name);
        foreach (Hook hook in hooks)
        {
            w.WriteStartObject();
            w.WriteString("path"u8, hook.Path);
            if (hook.Args.Length > 0) WriteStrings(w, "args"u8, hook.Args);
            if (hook.Env != null) WriteStrings(w, "env"u8, hook.Env);
            if (hook.Timeout is { } timeout) w.WriteNumber("timeout"u8, timeout);
            w.WriteEndObject();
        }
        w.WriteEndArray();
    }
}
