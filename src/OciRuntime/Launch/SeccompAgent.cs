using System.Buffers;
using System.Text.Json;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// Hands the listener of a filter with SCMP_ACT_NOTIFY to the agent on linux.seccomp.listenerPath: one connection, the container process state
/// as JSON, the descriptor with it (runtime-spec config-linux.md, "The Container Process State").
/// </summary>
internal static unsafe class SeccompAgent
{
    /// <param name="spec">The configuration.</param>
    /// <param name="state">The container.</param>
    /// <param name="pid">The process with the filter.</param>
    /// <param name="status">What the container is doing.</param>
    /// <param name="listener">The descriptor.</param>
    /// <exception cref="OciException">The agent cannot be reached.</exception>
    public static void Send(RuntimeSpec spec, ContainerState state, int pid, ContainerStatus status, int listener)
    {
        LinuxSeccomp profile = spec.Linux!.Seccomp!;
        string origin = SeccompReceiver.Origin(spec);
        using Fd socket = Sockets.ConnectStream(profile.ListenerPath!, $"{origin}: {profile.ListenerPath}");
        ReadOnlySpan<byte> document = Document(profile, state, pid, status);
        fixed (byte* bytes = document)
        {
            int sent = 0;
            while (sent < document.Length)
            {
                // The descriptor goes with the first bytes; a long text may take several calls.
                long n = Sockets.Send(socket.Number, bytes + sent, document.Length - sent, sent == 0 ? listener : -1);
                if (n == -Errno.EINTR) continue;
                sent += (int)OciException.Check(n, $"{origin}: send the listener to {profile.ListenerPath}");
            }
        }
    }

    private static ReadOnlySpan<byte> Document(LinuxSeccomp profile, ContainerState state, int pid, ContainerStatus status)
    {
        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter w = new(buffer, ContainerState.Compact);
        w.WriteStartObject();
        w.WriteString("ociVersion"u8, state.OciVersion);
        w.WriteStartArray("fds"u8);
        w.WriteStringValue("seccompFd"u8);
        w.WriteEndArray();
        w.WriteNumber("pid"u8, pid);
        if (!string.IsNullOrEmpty(profile.ListenerMetadata)) w.WriteString("metadata"u8, profile.ListenerMetadata);
        w.WritePropertyName("state"u8);
        w.WriteRawValue(StateDocument.ForHooks(state, status));
        w.WriteEndObject();
        w.Flush();
        return buffer.WrittenSpan;
    }
}
