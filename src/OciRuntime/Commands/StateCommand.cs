using System.Buffers;
using System.Text.Json;
using OciRuntime.Cli;
using OciRuntime.State;

namespace OciRuntime.Commands;

/// <summary><c>ocirun state ID</c>.</summary>
internal static class StateCommand
{
    public static int Run(GlobalOptions g, StateOptions o)
    {
        Output.Write(Render(new ContainerStore(StateRoot.Resolve(g.Root)), o.Id));
        return ExitCodes.Success;
    }

    internal static ReadOnlySpan<byte> Render(ContainerStore store, string id)
    {
        using ContainerEntry entry = store.Open(id);
        // No lock: the journal is replaced as a whole, and clients poll this verb while others are at work.
        ContainerState state = entry.ReadState();
        ContainerStatus status = entry.Probe(state);

        ArrayBufferWriter<byte> buffer = new(1024);
        using Utf8JsonWriter w = new(buffer, ContainerState.Compact with { Indented = true });
        StateDocument.Write(w, state, status, owner: ""); // Empty as runc prints it.
        w.Flush();
        return buffer.WrittenSpan;
    }
}
