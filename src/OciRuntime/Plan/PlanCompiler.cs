using System.Runtime.InteropServices;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Turns a plan into the unmanaged form the child walks; each step writes its own, with what this has for all of them.</summary>
internal sealed unsafe class PlanCompiler
{
    // "HOME=" and a path.
    private const int HomeSize = 5 + Kernel.PathMax;

    private readonly NativeArena _arena = new();
    private readonly InheritedDescriptors _descriptors;
    private readonly InitPlan* _native;

    private PlanCompiler(LaunchPlan plan, InheritedDescriptors descriptors)
    {
        _descriptors = descriptors;
        _native = New<InitPlan>();
        _native->Fds = descriptors.Named;
        _native->StepFds = Copy<int>(descriptors.OfSteps);
        _native->PreservedFds = descriptors.Preserved.Count;
        _native->OpenFds = Copy<int>(descriptors.Preserved.Open);
        _native->TakenFds = Copy<int>(descriptors.Preserved.Taken);
        int paths = plan.Steps.FindAll(static step => step.Op is InitOp.MaskPath or InitOp.ReadonlyPath).Count;
        if (paths > 0) _native->ProtectiveMounts = Share(paths);
        // What another process leaves behind when it ends, whoever adopts it reaps.
        if (Kernel.IsShared && plan.Find<ForkIntoPidNamespaceStep>() is not null) _native->Successor = Share(1).Items;
        if (Timeline.IsOn) _native->Trace = Trace.Allocate(TraceCapacity(plan), isShared: true);
        _native->Arguments = Texts(plan.Arguments);
        _native->Environment = Listed(_arena.Texts(CollectionsMarshal.AsSpan(plan.Environment), extra: 1), plan.Environment.Count);
        _native->Steps = _arena.Array<InitStep>(plan.Steps.Count);
        _native->StepCount = plan.Steps.Count;
        for (int i = 0; i < plan.Steps.Count; i++) plan.Steps[i].Write(ref _native->Steps[i], this);
    }

    /// <param name="plan">The plan.</param>
    /// <param name="descriptors">All that the child inherits.</param>
    public static CompiledPlan Compile(LaunchPlan plan, InheritedDescriptors descriptors)
    {
        PlanCompiler compiler = new(plan, descriptors);
        return new(plan, compiler._native, compiler._arena);
    }

    /// <summary>Room for numbers, all 0, that the child shares with this process until it executes another program.</summary>
    private static NativeArray<ulong> Share(int count) =>
        new((ulong*)Processes.MapMemory(count * sizeof(ulong), isShared: true), count);

    /// <summary>For how many entries --trace has room: a step is one, and few of them make more than a few calls that take time.</summary>
    public static int TraceCapacity(LaunchPlan plan) => 4 * plan.Steps.Count + 1024;

    /// <summary>See <see cref="ForkIntoPidNamespaceArguments.Successor"/>.</summary>
    public ulong* Successor => _native->Successor;

    /// <summary>The program's environment.</summary>
    public NativeArray<NativeText> Environment => _native->Environment;

    public T* New<T>()
        where T : unmanaged => _arena.Array<T>(1);

    public NativeText Text(string? text) => new(_arena.Text(text));

    /// <summary>Texts, and a null behind them.</summary>
    public NativeArray<NativeText> Texts(ReadOnlySpan<string> texts) => Listed(_arena.Texts(texts), texts.Length);

    public NativeArray<T> Copy<T>(ReadOnlySpan<T> items)
        where T : unmanaged => _arena.Copy(items);

    public NativeArray<TextPair> Pairs(List<KeyValuePair<string, string?>> options)
    {
        TextPair* pairs = _arena.Array<TextPair>(options.Count);
        for (int i = 0; i < options.Count; i++) pairs[i] = new TextPair { Key = Text(options[i].Key), Value = Text(options[i].Value) };
        return new(pairs, options.Count);
    }

    /// <summary>A descriptor that the step was given.</summary>
    public int Descriptor(PlanStep step, int index = 0) => _descriptors.Of(step, index);

    /// <summary>A variable's value, for the child to complete.</summary>
    /// <param name="index">Its entry in the environment.</param>
    /// <param name="name">Its name.</param>
    public NativeArray<byte> Variable(int index, string name)
    {
        byte* entry = _native->Environment[index];
        return new(entry + name.Length + 1, CString.Length(entry) - name.Length - 1);
    }

    /// <summary>The last entry of the environment, a buffer that the child completes.</summary>
    public NativeArray<byte> HomeEntry()
    {
        NativeArray<byte> entry = new(_arena.Array<byte>(HomeSize), HomeSize);
        "HOME="u8.CopyTo(new Span<byte>(entry.Items, HomeSize));
        _native->Environment[_native->Environment.Count] = new NativeText(entry.Items);
        return entry;
    }

    /// <summary>The variables of whoever called the runtime, whose copy in the child has to stay as long.</summary>
    public NativeArray<NativeText> CallersEnvironment()
    {
        _native->KeepsCallersWords = true;
        List<nint> variables = Host.CallersEnvironment.Variables();
        return Listed(_arena.Texts(variables), variables.Count);
    }

    private static NativeArray<NativeText> Listed(byte** texts, int count) => new((NativeText*)texts, count);
}
