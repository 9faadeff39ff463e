namespace OciRuntime.Plan;

/// <summary>
/// What clone3(2), the parent and the child will do, in order. Immutable; printed by `explain`, compiled by <see cref="PlanCompiler"/>.
/// </summary>
internal sealed class LaunchPlan
{
    /// <summary>
    /// CLONE_NEW… flags for clone3. Namespaces that must belong to a joined user namespace are unshared by the child instead.
    /// </summary>
    public required ulong CloneFlags { get; init; }

    /// <summary>A pid namespace to join, which the last clone is born in. It is among <see cref="Joins"/>.</summary>
    public required NamespacePath? PidNamespace { get; init; }

    /// <summary>How the id maps of a new user namespace are written when the child asks for them; null without one.</summary>
    public required IdMapPlan? IdMaps { get; init; }

    /// <summary>The container has a pid namespace of its own: killing its init ends all of it.</summary>
    public required bool PrivatePidNamespace { get; init; }

    /// <summary>The child's steps.</summary>
    public required List<PlanStep> Steps { get; init; }

    /// <summary>The steps are done in a user namespace: the container's, or the runtime's own.</summary>
    public bool InUserNamespace => Find<BecomeRootStep>() is not null || Host.UserNamespace.IsNested();

    /// <summary>There is no mount namespace of the container's: the parent makes one mount of the host's for all of its mounts.</summary>
    public bool MountsOnHost => Find<HostRootStep>() is not null;

    /// <summary>argv of the program.</summary>
    public required string[] Arguments { get; init; }

    /// <summary>Its environment, duplicates removed.</summary>
    public required List<string> Environment { get; init; }

    /// <summary>HOME is not in the environment and is looked up in the image.</summary>
    public required bool HomeFromImage { get; init; }

    /// <summary>Settings that cannot be fulfilled and that the specification says to warn about.</summary>
    public required List<string> Warnings { get; init; }

    /// <summary>Settings that this host cannot fulfil and that must not be left out: the plan can be read, but not launched.</summary>
    public required List<string> Refusals { get; init; }

    /// <summary>Namespaces that are joined by path.</summary>
    public List<NamespacePath> Joins => Find<JoinNamespacesStep>()?.Joins ?? [];

    /// <summary>The first step of a kind, or null.</summary>
    public TStep? Find<TStep>()
        where TStep : PlanStep
    {
        foreach (PlanStep step in Steps)
        {
            if (step is TStep found) return found;
        }
        return null;
    }
}
