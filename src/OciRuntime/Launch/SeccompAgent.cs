using System.Buffers;
using System.Text.Json;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// Hands the listener of a filter with SCMP_ACT_NOTIFY to the agent on linux.seccomp.listenerPath: one connection, the container process
/// state as JSON, the descriptor with it (runtime-spec config-linux.md, "The Container Process State").
/// </summary>
internal static class SeccompAgent
{
    /// <param name="spec">The configuration.</param>
    /// <param name="state">The container.</param>
    /// <param name="child">The process with the filter.</param>
    /// <param name="status">What the container is doing.</param>
    /// <param name="message">What the process said about the listener: it brings it along, or names its number.</param>
    /// <param name="interruption">What ends the waiting for an agent that takes nothing.</param>
    /// <exception cref="OciException">The listener cannot be had, or the agent not be reached.</exception>
    public static void Send(RuntimeSpec spec, ContainerState state, ChildProcess child, ContainerStatus status, InitMessage message,
        Interruption interruption)
    {
        using Fd? fetched = message.Descriptor.IsOpen ? null : Fetch(child, message.Value);
        LinuxSeccomp profile = spec.Linux!.Seccomp!;
        string origin = SeccompReceiver.Origin(spec);
        using Fd socket = Sockets.ConnectStream(profile.ListenerPath!, $"{origin}: {profile.ListenerPath}", interruption.ForPeer);
        // The descriptor goes with the first bytes; a long text may take several calls.
        long sent = Sockets.SendAll(socket.Number, Document(profile, state, child.Pid, status), (fetched ?? message.Descriptor).Number,
            interruption.ForPeer);
        OciException.Check(sent, $"{origin}: send the listener to {profile.ListenerPath}");
    }

    /// <summary>The same in words.</summary>
    public static RuntimeAction Words(RuntimeSpec spec)
    {
        // A variable of the caller's is no place in the configuration.
        string origin = SeccompReceiver.Origin(spec);
        return new($"send the filter's listener to {spec.Linux!.Seccomp!.ListenerPath}", origin.StartsWith('/') ? origin : "");
    }

    /// <summary>
    /// Waits for nothing: the process may by now wait for the agent with whatever it does (see
    /// <see cref="SeccompArguments.ListenerByNumber"/>).
    /// </summary>
    private static Fd Fetch(ChildProcess child, long number)
    {
        long fd = Processes.PidFdGetFd(child.PidFd.Number, (int)number);
        string hint = fd == -Errno.EPERM ? ": it takes CAP_SYS_PTRACE, unless /linux/seccomp allows sendmsg: then init can send it" : "";
        if (fd < 0)
        {
            throw new OciException($"/linux/seccomp: fetch the filter's listener from init: {ErrnoText.Full((int)-fd)}{hint}",
                (int)-fd);
        }
        return new Fd((int)fd);
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
