using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Launch;

/// <summary>
/// One launch, from the journal to a container that waits for `start` or runs: the actions of <see cref="LaunchActions"/>, and between them
/// the clone and the conversation with it.
/// </summary>
internal sealed class ContainerLaunch(LaunchContext context)
{
    private readonly LaunchPreparation _preparation = context.Preparation;

    private LaunchPlan Plan => _preparation.Plan;
    private ChildProcess Child => context.Child!;

    /// <summary>Launches; on any failure nothing is left, poststop hooks included.</summary>
    public void Run() => context.OrUndo(Launch);

    private void Launch()
    {
        Timeline.Phase("make what the container's process is to find");
        LaunchActions.Prepare(_preparation).ForEach(context.Run);
        context.Run(new(static () => [], Clone, undo: static c => c.Child?.Kill()));
        Array.ForEach(LaunchActions.Adopt(_preparation), context.Run);
        LaunchActions.Beside(_preparation).ForEach(context.Run);
        context.CloseInherited();
        Identify();
        Rehearse();
        Timeline.Phase("answer init until it is done");
        if (!Child.Conversation.Serve(context.Interruption, SilenceAllowed, Answer)) throw DiedInSetUp(Child.End());
        // Beside a `run` in the foreground it would keep the container's network namespace alive.
        context.Network?.Dispose();
    }

    private void Clone(LaunchContext c)
    {
        Timeline.Phase("compile the plan, and make the process that walks it");
        c.Compiled = PlanCompiler.Compile(Plan, c.Descriptors);
        c.Child = ChildProcess.Clone(c.Compiled, c.Cgroup?.UnifiedFd ?? -1);
    }

    private void Identify() => context.State.Init = ProcessIdentity.Of(Child.Pid) ?? new ProcessIdentity(Child.Pid, 0);

    // Network file systems, and much to copy (tmpcopyup), take their time.
    private int SilenceAllowed()
    {
        Hook[] inside = [.. _preparation.Spec.Hooks?.CreateContainer ?? [], .. _preparation.Settings.WaitForStart ? []
            : _preparation.Spec.Hooks?.StartContainer ?? []];
        return Conversation.PatienceWith(5 * Conversation.PatienceMilliseconds, inside);
    }

    private Action? Answer(InitMessage message) =>
        LaunchActions.Answer(_preparation, message.Step!, message.Kind) is { } actions ? () => Serve(message, actions) : null;

    private void Serve(InitMessage message, LaunchAction[] actions)
    {
        if (message.Kind == SyncKind.Forked)
        {
            Child.Succeed((int)message.Value, (ForkIntoPidNamespaceStep)message.Step!, context.Interruption, SilenceAllowed);
            Identify();
        }
        if (message.Kind == SyncKind.Ready)
        {
            context.Debug($"init allocated {Digits.Of(message.Value)} bytes");
            context.State.ProtectiveMounts = context.Compiled!.NotedMounts();
        }
        context.Message = message;
        Array.ForEach(actions, context.Run);
    }

    /// <summary>
    /// Init's last question keeps the program waiting, and whatever is done for the first time costs a page fault for each page of code,
    /// and for each of memory that the clone has left shared. So the answer is prepared once while init has no questions yet, and thrown
    /// away.
    /// </summary>
    private void Rehearse()
    {
        LaunchActions.Answer(_preparation, Plan.Steps.Find(static step => step.Op == InitOp.Ready)!, SyncKind.Ready);
        context.Compiled!.NotedMounts();
        context.State.ToJson();
    }

    /// <summary>Sets another process's limits.</summary>
    internal static void SetLimits(int pid, Rlimit[] limits)
    {
        for (int i = 0; i < limits.Length; i++)
        {
            long result = Processes.SetLimit(pid, ResourceNames.Number(limits[i].Type),
                new ResourceLimit { Soft = limits[i].Soft, Hard = limits[i].Hard });
            if (result < 0)
                throw new OciException(ResourceLimitStep.Refused(new Origin("/process/rlimits", i), limits[i], (int)-result), (int)-result);
        }
    }

    /// <summary>The same in words.</summary>
    internal static List<RuntimeAction> LimitWords(Rlimit[] limits)
    {
        List<RuntimeAction> words = [];
        for (int i = 0; i < limits.Length; i++)
            words.Add(new(ResourceLimitStep.Describe(limits[i]), new Origin("/process/rlimits", i).ToString()));
        return words;
    }

    private OciException DiedInSetUp(WaitStatus? status)
    {
        if (status?.Signal == Processes.SIGKILL)
        {
            return new OciException(
                "container init was killed during set-up: out of memory (memory limit too low?) or killed from outside");
        }
        string hint = Plan.Find<SeccompStep>() is not null
            ? ": /linux/seccomp may deny a call that init makes once the filter is loaded" : "";
        if (hint.Length > 0 && !_preparation.Spec.Process!.NoNewPrivileges)
            hint += "; with /process/noNewPrivileges true it is loaded last";
        return new OciException($"container init ended during set-up: {ChildProcess.Describe(status)}{hint}");
    }
}
