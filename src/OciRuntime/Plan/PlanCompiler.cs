using OciRuntime.Init;

namespace OciRuntime.Plan;

/// <summary>Turns a plan into the unmanaged form the child walks. Descriptors are filled in later, by whoever opens them.</summary>
internal static unsafe class PlanCompiler
{
    // "HOME=" and a path.
    private const int HomeSize = 5 + Linux.Kernel.PathMax;

    /// <param name="plan">The plan.</param>
    /// <param name="fdSlots">Number of descriptor slots to reserve.</param>
    public static InitPlan* Compile(LaunchPlan plan, int fdSlots)
    {
        NativeArena arena = new();
        InitPlan* native = (InitPlan*)arena.Allocate(sizeof(InitPlan));
        native->Steps = arena.Array<InitStep>(plan.Steps.Count);
        native->StepCount = plan.Steps.Count;
        native->Fds = arena.Array<int>(fdSlots);
        native->FdCount = fdSlots;
        native->CloseRanges = arena.Array<uint>(2 * (fdSlots + 8));
        native->RootFd = native->SyncFd = native->StartFd = native->ConsoleFd = native->StateFd = native->HookStdout = native->HookStderr = -1;
        native->Arguments = arena.Texts(plan.Arguments);
        native->Environment = arena.Texts(plan.Environment, extra: 1);
        for (int i = 0; i < plan.Steps.Count; i++) Compile(plan, plan.Steps[i], native, native->Steps + i, arena);
        return native;
    }

    private static void Compile(LaunchPlan plan, PlanStep step, InitPlan* native, InitStep* target, NativeArena arena)
    {
        target->Op = step.Op;
        target->Flags = step.Flags;
        target->A = step.A;
        target->B = step.B;
        target->C = step.C;
        target->Text1 = arena.Text(step.Text1);
        target->Text2 = arena.Text(step.Text2);
        target->Fallback = arena.Text(step.Fallback);
        switch (step.Op)
        {
            case InitOp.MountFilesystem when step.Call != null: Call(step.Call, target, arena); break;
            case InitOp.MountFilesystem or InitOp.ReconfigureFilesystem or InitOp.MaskPath or InitOp.DeviceMount: Options(step, target, arena); break;
            case InitOp.MountBind: *(BindAttributes*)(target->Data = arena.Allocate(sizeof(BindAttributes))) = step.Bind; break;
            case InitOp.Capabilities: *(ulong*)(target->Data = arena.Allocate(sizeof(ulong))) = step.Bind.Set; break;
            case InitOp.Scheduler: *(Linux.SchedAttr*)(target->Data = arena.Allocate(sizeof(Linux.SchedAttr))) = step.Schedule; break;
            case InitOp.MemoryPolicy or InitOp.Affinity: Numbers(step.Nodes!, target, arena); break;
            case InitOp.RemoveMount: Numbers(step.ProtectiveMounts!, target, arena); break;
            case InitOp.JoinNamespaces: Joins(step, plan, target, arena); break;
            case InitOp.SetUser: Groups(step, target, arena); break;
            case InitOp.FindExecutable:
                target->Data = arena.Texts(step.Candidates!);
                target->Count = step.Candidates!.Length;
                break;
            case InitOp.Seccomp: Filter(step, target, arena); break;
            case InitOp.ListenPid: target->Data = native->Environment[step.A] + "LISTEN_PID=".Length; break;
            case InitOp.HomeDirectory: Home(plan, native, target, arena); break;
            case InitOp.ContainerHook or InitOp.StartHook: Hook(step, native, target, arena); break;
            default: break;
        }
    }

    private static void Options(PlanStep step, InitStep* target, NativeArena arena)
    {
        TextPair* pairs = arena.Array<TextPair>(step.Options!.Count);
        for (int i = 0; i < step.Options.Count; i++) pairs[i] = new TextPair { Key = arena.Text(step.Options[i].Key), Value = arena.Text(step.Options[i].Value) };
        target->Data = pairs;
        target->Count = step.Options.Count;
    }

    /// <summary>Namespace descriptors come after the cgroup ones.</summary>
    private static void Joins(PlanStep step, LaunchPlan plan, InitStep* target, NativeArena arena)
    {
        int first = plan.Steps.FindAll(static s => s.Op == InitOp.EnterCgroup).Count;
        NamespaceJoin* joins = arena.Array<NamespaceJoin>(step.Joins!.Count);
        for (int i = 0; i < step.Joins.Count; i++) joins[i] = new NamespaceJoin { Slot = first + i, Flag = step.Joins[i].Flag };
        target->Data = joins;
        target->Count = step.Joins.Count;
    }

    private static void Filter(PlanStep step, InitStep* target, NativeArena arena)
    {
        Linux.SockFilter[] instructions = step.Filter!.Instructions;
        Linux.SockProgram* program = arena.Array<Linux.SockProgram>(1);
        program->Length = (ushort)instructions.Length;
        program->Instructions = arena.Array<Linux.SockFilter>(instructions.Length);
        instructions.CopyTo(new Span<Linux.SockFilter>(program->Instructions, instructions.Length));
        target->Data = program;
    }

    private static void Numbers(ulong[] numbers, InitStep* target, NativeArena arena)
    {
        ulong* native = arena.Array<ulong>(numbers.Length);
        numbers.CopyTo(new Span<ulong>(native, numbers.Length));
        target->Data = native;
        target->Count = numbers.Length;
    }

    private static void Call(MountCallPlan call, InitStep* target, NativeArena arena)
    {
        MountCall* native = (MountCall*)arena.Allocate(sizeof(MountCall));
        native->Source = arena.Text(call.Source);
        native->Flags = call.Flags;
        native->Pieces = arena.Texts(call.Pieces);
        native->Directories = arena.Texts(call.Directories);
        native->DirectoryCount = call.Directories.Length;
        target->Data = native;
    }

    private static void Groups(PlanStep step, InitStep* target, NativeArena arena)
    {
        uint* groups = arena.Array<uint>(step.Groups!.Length);
        for (int i = 0; i < step.Groups.Length; i++) groups[i] = step.Groups[i];
        target->Data = groups;
        target->Count = step.Groups.Length;
    }

    /// <summary>The last entry of the environment is a buffer that the child completes.</summary>
    private static void Home(LaunchPlan plan, InitPlan* native, InitStep* target, NativeArena arena)
    {
        byte* entry = (byte*)arena.Allocate(HomeSize);
        "HOME="u8.CopyTo(new Span<byte>(entry, HomeSize));
        target->Data = entry;
        target->Count = HomeSize;
        native->Environment[plan.Environment.Count] = entry;
    }

    /// <summary>A program of the host gets nothing of the image's (CVE-2025-23266): without an environment of its own, the caller's. One in the container gets its program's.</summary>
    private static void Hook(PlanStep step, InitPlan* native, InitStep* target, NativeArena arena)
    {
        HookCall* call = (HookCall*)arena.Allocate(sizeof(HookCall));
        Spec.Hook hook = step.Hook!;
        call->Path = arena.Text(hook.Path);
        call->Arguments = arena.Texts(hook.Args.Length > 0 ? hook.Args : [hook.Path]);
        bool inherits = hook.Env == null && step.Op == InitOp.ContainerHook;
        native->KeepsCallersWords |= inherits;
        call->Environment = hook.Env != null ? arena.Texts(hook.Env) : inherits ? arena.Texts(Host.CallersEnvironment.Variables()) : native->Environment;
        call->TimeoutSeconds = hook.Timeout ?? 0;
        call->Index = (int)step.A;
        target->Data = call;
    }
}
