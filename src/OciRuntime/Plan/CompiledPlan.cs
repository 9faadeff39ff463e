using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>A plan with its native form, and all that the parent does with that.</summary>
internal sealed unsafe class CompiledPlan(LaunchPlan plan, InitPlan* native, NativeArena arena)
{
    public LaunchPlan Plan => plan;

    /// <summary>What init walks.</summary>
    public InitPlan* Native => native;

    /// <summary>Clones init, which walks the plan there. Returns its pid, or a negated errno.</summary>
    /// <param name="sync">Init's end of the conversation.</param>
    /// <param name="cgroup">Descriptor of the cgroup v2 that it is born in, or -1 for the caller's.</param>
    /// <param name="pidfd">Its pidfd.</param>
    public long Clone(int sync, int cgroup, out int pidfd)
    {
        Native->Fds.Sync = sync;
        // Only the shim is undumpable itself; an exec's child is to be from birth, and one without a user namespace of its own may.
        Native->BecomesDumpable = Kernel.IsShared && plan.IdMaps is not null;
        (long words, Native->CallersWordsLength) = OwnMemory.CallersWords();
        Native->CallersWords = (byte*)words;
        (string text, string pointer) = Timeline.IsOn ? PlanPrinter.CloneWords(plan) : default;
        using TraceSpan span = Timeline.Span(text, pointer);
        long before = Timeline.IsOn ? Trace.Now() : 0;
        // The child has no managed objects, this one neither (Native/runtime.c).
        InitPlan* walked = Native;
        long pid = Processes.Clone(plan.CloneFlags, out pidfd, cgroup);
        if (pid == 0) InitMain.Run(walked);
        if (Timeline.IsOn && pid > 0) Follow((int)pid, before);
        return pid;
    }

    /// <summary>Clones a process that goes through the plan and changes nothing but itself. Returns its pid, or a negated errno.</summary>
    /// <param name="sync">Its end of the conversation.</param>
    /// <param name="ownsNamespaces">All of its namespaces belong to a new user namespace.</param>
    /// <param name="mayLend">This process can open what that hides.</param>
    /// <param name="pidfd">Its pidfd.</param>
    public long Rehearse(int sync, bool ownsNamespaces, bool mayLend, out int pidfd)
    {
        Native->Fds.Sync = sync;
        InitPlan* walked = Native;
        long pid = Processes.Clone(plan.CloneFlags, out pidfd);
        if (pid == 0) Rehearsal.Run(walked, ownsNamespaces, mayLend);
        return pid;
    }

    private void Follow(int pid, long since) => Timeline.Follow(new(pid, Native->Trace, PlanCompiler.TraceCapacity(plan), since)
    {
        Kind = TraceKind.Step,
        Words = step => step < plan.Steps.Count ? [(plan.Steps[step].Describe(), plan.Steps[step].Origin.ToString())] : null,
    });

    /// <summary>The mounts that the child has noted; a path that is not there is not protected by any.</summary>
    public ulong[] NotedMounts()
    {
        ReadOnlySpan<ulong> noted = new(Native->ProtectiveMounts.Items, Native->ProtectiveMounts.Count);
        int end = noted.IndexOf(0UL);
        return noted[..(end < 0 ? noted.Length : end)].ToArray();
    }

    /// <summary>The process that the first one has cloned, told or not; 0 for none, or where that is not of interest.</summary>
    public int Successor => Native->Successor is null ? 0 : (int)*Native->Successor;

    /// <summary>Gives the memory back, in a process that goes on: nobody clones or looks at anything any more.</summary>
    public void Free()
    {
        NativeArray<ulong> shared = Native->ProtectiveMounts;
        // It cannot fail for what was mapped.
        if (shared.Count > 0) Processes.UnmapMemory((byte*)shared.Items, shared.Count * sizeof(ulong));
        if (Native->Successor is not null) Processes.UnmapMemory((byte*)Native->Successor, sizeof(ulong));
        arena.Free();
    }

    /// <summary>Makes the file system of a step in this process. Returns a mount that is attached nowhere, or a negated errno.</summary>
    public long MakeFilesystem(MountFilesystemStep step) => MakeFilesystem(Arguments<MountFilesystemArguments>(step));

    /// <summary>The same with a tmpfs for device nodes, with the options that the step has for it.</summary>
    public long MakeFilesystem(DeviceMountStep step)
    {
        fixed (byte* type = "tmpfs\0"u8)
        {
            MountFilesystemArguments tmpfs = new()
            {
                Type = new NativeText(type),
                Attributes = Mounts.MOUNT_ATTR_NOSUID | Mounts.MOUNT_ATTR_NOEXEC,
                Options = Arguments<DeviceMountArguments>(step)->Options,
            };
            return MakeFilesystem(&tmpfs);
        }
    }

    private static long MakeFilesystem(MountFilesystemArguments* mounted)
    {
        InitState s = new(null);
        return MountSteps.CreateFilesystem(ref s, mounted, -1);
    }

    private T* Arguments<T>(PlanStep step)
        where T : unmanaged, IStepArguments => Native->Steps[plan.Steps.IndexOf(step)].As<T>();
}
