using System.Buffers;
using System.Text.Json;

namespace OciRuntime.State;

/// <summary>
/// The state of a container as others read it: runc's output of <c>state</c> and <c>list</c>, and what hooks get on standard input.
/// </summary>
internal static class StateDocument
{
    /// <summary>
    /// One object with runc's keys in runc's order. CRI-O decodes it over a struct of its own, so no key may be called
    /// started, finished, exitCode, error or initPid.
    /// </summary>
    public static void Write(Utf8JsonWriter w, ContainerState state, ContainerStatus status, string owner)
    {
        w.WriteStartObject();
        w.WriteString("ociVersion"u8, state.OciVersion);
        w.WriteString("id"u8, state.Id);
        w.WriteNumber("pid"u8, Pid(state, status));
        w.WriteString("status"u8, status.Name());
        w.WriteString("bundle"u8, state.Bundle);
        w.WriteString("rootfs"u8, state.Rootfs);
        // Clients parse it as RFC 3339 whatever the status is; a failing parse is a failing `state`.
        w.WriteString("created"u8, state.Created.Length > 0 ? state.Created : Timestamp.Zero);
        new JournalFields(w).Map("annotations"u8, state.Annotations);
        w.WriteString("owner"u8, owner);
        w.WriteEndObject();
    }

    /// <summary>The state that the runtime specification promises to hooks, compact.</summary>
    /// <param name="state">The container.</param>
    /// <param name="status">What it is doing.</param>
    /// <param name="innerPid">The pid for a hook inside the container's pid namespace; 0 for one that sees the host's.</param>
    public static ReadOnlySpan<byte> ForHooks(ContainerState state, ContainerStatus status, int innerPid = 0)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter w = new(buffer, ContainerState.Compact);
        w.WriteStartObject();
        w.WriteString("ociVersion"u8, state.OciVersion);
        w.WriteString("id"u8, state.Id);
        w.WriteString("status"u8, status.Name());
        int pid = innerPid > 0 ? innerPid : Pid(state, status);
        if (pid > 0) w.WriteNumber("pid"u8, pid);
        w.WriteString("bundle"u8, state.Bundle);
        new JournalFields(w).Map("annotations"u8, state.Annotations);
        w.WriteEndObject();
        w.Flush();
        return buffer.WrittenSpan;
    }

    /// <summary>The pid of a stopped container may belong to somebody else by now: it is 0.</summary>
    public static int Pid(ContainerState state, ContainerStatus status) => status == ContainerStatus.Stopped ? 0 : state.Init.Pid;
}
