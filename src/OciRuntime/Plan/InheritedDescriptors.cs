using OciRuntime.Init;

namespace OciRuntime.Plan;

/// <summary>
/// Every descriptor that a child inherits, stdio and preserved ones aside: those with a name, and those that certain steps need. It is
/// complete before the plan is compiled; whatever is not in here is closed in the child.
/// </summary>
internal sealed class InheritedDescriptors
{
    private readonly List<(PlanStep Step, int Fd)> _given = [];

    /// <summary>Those with a name, set by whoever opens them.</summary>
    public InitDescriptors Named = InitDescriptors.None;

    /// <summary>
    /// The caller's from 3 on: how many numbers are taken up, those of them that the program gets, those at which the language runtime has
    /// something open.
    /// </summary>
    public (int Count, int[] Open, int[] Taken) Preserved = (0, [], []);

    /// <summary>Gives the child stdin, stdout and stderr other than this process's.</summary>
    public void GiveStreams(int[] streams) => (Named.Stdin, Named.Stdout, Named.Stderr) = (streams[0], streams[1], streams[2]);

    /// <summary>Those of steps.</summary>
    public int[] OfSteps => [.. _given.ConvertAll(static one => one.Fd)];

    /// <summary>Gives a step the next one that it needs; -1 for none.</summary>
    public void Give(PlanStep step, int fd) => _given.Add((step, fd));

    /// <summary>
    /// Gives the steps that enter v1 cgroups the <c>tasks</c> files, which are in the order of the hierarchies in the request.
    /// </summary>
    public void GiveTasks(LaunchPlan plan, ReadOnlySpan<int> files)
    {
        int next = 0;
        foreach (PlanStep step in plan.Steps) if (step is EnterCgroupStep) Give(step, files[next++]);
    }

    /// <summary>The one that a step was given first, or so many later.</summary>
    public int Of(PlanStep step, int index)
    {
        foreach ((PlanStep owner, int fd) in _given) if (ReferenceEquals(owner, step) && index-- == 0) return fd;
        throw new InvalidOperationException($"{step.Op} was not given what it needs");
    }
}
