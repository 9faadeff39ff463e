using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>
/// What init said, after <see cref="Conversation"/> has checked it: kind, step and operation fit together, numbers are in range, the words
/// are init's and nobody else's. A descriptor that came along is closed with the message unless somebody took it.
/// </summary>
internal sealed class InitMessage : IDisposable
{
    public required SyncKind Kind { get; init; }

    /// <summary>The step of the plan that it is about; null after `start`, when the plan is no longer at hand.</summary>
    public required PlanStep? Step { get; init; }

    /// <summary>What the step does.</summary>
    public required InitOp Op { get; init; }

    /// <summary>Of an error: the kernel's reason.</summary>
    public required int Errno { get; init; }

    /// <summary>Of an error: the part of the step that failed.</summary>
    public required InitDetail Detail { get; init; }

    /// <summary>A number that goes with the kind or the detail (see <see cref="SyncMessage.Value"/>).</summary>
    public required long Value { get; init; }

    /// <summary>Of an error: words, in which all but line ends is visible text.</summary>
    public required string Text { get; init; }

    /// <summary>The descriptor; not open where the kind has none.</summary>
    public required Fd Descriptor { get; init; }

    public void Dispose() => Descriptor.Dispose();
}
