using System.Runtime.InteropServices;
using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>What the operation of a step needs.</summary>
internal interface IStepArguments
{
    /// <summary>The operation, the only one that these are for.</summary>
    static abstract InitOp Op { get; }
}

/// <summary>One step, in unmanaged memory: the child reads nothing else.</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InitStep
{
    public InitOp Op;
    public void* Arguments;

    /// <summary>Its arguments; null, at which the child ends, if somebody takes them for another operation's.</summary>
    public readonly T* As<T>()
        where T : unmanaged, IStepArguments => T.Op == Op ? (T*)Arguments : null;
}

/// <summary>A key with a value, or without one (null).</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TextPair
{
    public NativeText Key, Value;
}

/// <summary>Everything the child needs, filled by the parent before clone3(2).</summary>
[StructLayout(LayoutKind.Sequential)]
internal unsafe struct InitPlan
{
    public InitStep* Steps;
    public int StepCount;

    /// <summary>What it inherits.</summary>
    public InitDescriptors Fds;

    /// <summary>What it inherits for certain steps, which have the numbers, too: cgroup <c>tasks</c> files, namespaces.</summary>
    public NativeArray<int> StepFds;

    /// <summary>
    /// Memory shared with the parent, or nothing: the child notes the numbers of the mounts here that hide paths or make them read-only,
    /// see <see cref="ProtectionSteps.Note"/>.
    /// </summary>
    public NativeArray<ulong> ProtectiveMounts;

    /// <summary>See <see cref="ForkIntoPidNamespaceArguments.Successor"/>.</summary>
    public ulong* Successor;

    /// <summary>Memory shared with the parent in which the child notes when it does what; null without --trace.</summary>
    public TraceHeader* Trace;

    /// <summary>Number of descriptors from 3 on that are the container's, or keep a place there until execve.</summary>
    public int PreservedFds;

    /// <summary>Those of them that the program gets.</summary>
    public NativeArray<int> OpenFds;

    /// <summary>Numbers between them that the parent's language runtime has something open at.</summary>
    public NativeArray<int> TakenFds;

    /// <summary>The arguments and variables that the caller gave the runtime, a copy of which the child has.</summary>
    public byte* CallersWords;

    /// <summary>Bytes of <see cref="CallersWords"/>.</summary>
    public long CallersWordsLength;

    /// <summary>createContainer hooks get the variables from there: they stay until the last one has run.</summary>
    public bool KeepsCallersWords;

    /// <summary>The parent is not dumpable, and this child is to be until a step says otherwise: else its /proc/self would not be its
    /// own in a user namespace.</summary>
    public bool BecomesDumpable;

    public NativeArray<NativeText> Arguments, Environment;
}
