using FluentAssertions;
using FluentAssertions.Execution;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Plan;

/// <summary>Every combination of absent, new and joined for all eight kinds: 6561 plans against the rules of namespaces(7).</summary>
public sealed class NamespacePlanTests
{
    private enum How
    {
        Absent,
        New,
        Joined,
    }

    private const ulong InChildOnly = Processes.CLONE_NEWCGROUP | Processes.CLONE_NEWTIME;

    [Test]
    public void Every_namespace_is_made_or_joined_exactly_once() => ForEveryCombination((kinds, plan, steps) =>
    {
        ulong made = plan.CloneFlags;
        foreach (PlanStep step in steps)
        {
            ulong flags = step switch
            {
                UnshareStep unshare => unshare.Namespaces,
                ForkIntoPidNamespaceStep => Processes.CLONE_NEWPID,
                _ => 0,
            };
            (made & flags).Should().Be(0UL, "nothing is made twice");
            made |= flags;
        }
        made.Should().Be(Flags(kinds, How.New));
        ulong joined = plan.Pid?.Flag ?? 0;
        foreach (NamespacePath join in plan.Joins) joined |= join.Flag;
        joined.Should().Be(Flags(kinds, How.Joined));
        steps.Count(step => step.Op == InitOp.JoinNamespaces).Should().Be(plan.Joins.Count > 0 ? 1 : 0);
        plan.Separate.Should().Be(made | joined);
    });

    /// <summary>A cgroup namespace's root would be the runtime's cgroup; a time namespace's offsets could no longer be set.</summary>
    [Test]
    public void Clone_never_makes_cgroup_and_time_namespaces() =>
    ForEveryCombination((_, plan, _) => (plan.CloneFlags & InChildOnly).Should().Be(0UL));

    /// <summary>The kernel gives the queues' root and sysfs's files of "lo" to its maker, who has no ids before the maps.</summary>
    [Test]
    public void Queues_and_network_are_made_when_there_is_somebody_to_own_them() => ForEveryCombination((kinds, plan, _) =>
    {
        if (kinds["user"] == How.New) (plan.CloneFlags & (Processes.CLONE_NEWIPC | Processes.CLONE_NEWNET)).Should().Be(0UL);
    });

    /// <summary>
    /// A namespace belongs to the user namespace of its maker: what clone3 would make before the join belonged to the wrong one.
    /// </summary>
    [Test]
    public void Nothing_is_made_before_a_user_namespace_is_joined() => ForEveryCombination((kinds, plan, steps) =>
    {
        if (kinds["user"] != How.Joined) return;
        plan.CloneFlags.Should().Be(0UL);
        steps[0].Op.Should().Be(InitOp.JoinNamespaces);
    });

    /// <summary>
    /// Joining what belongs to the host takes privileges over the host, which are gone in a new user namespace (setns(2)).
    /// </summary>
    [Test]
    public void Joins_come_before_a_new_user_namespace() => ForEveryCombination((kinds, plan, steps) =>
    {
        if (kinds["user"] != How.New || plan.Joins.Count == 0) return;
        plan.CloneFlags.Should().Be(0UL);
        steps[0].Should().BeOfType<JoinNamespacesStep>();
        steps[1].Should().BeOfType<UnshareStep>().Which.Namespaces.Should().Be(Processes.CLONE_NEWUSER);
    });

    /// <summary>Without maps the process has no ids in its namespace and may make nothing there (user_namespaces(7)).</summary>
    [Test]
    public void New_user_namespace_is_mapped_and_its_root_taken_before_anything_else_is_made() => ForEveryCombination((kinds, _, steps) =>
    {
        int maps = steps.FindIndex(step => step.Op == InitOp.AwaitIdMaps), root = steps.FindIndex(step => step.Op == InitOp.BecomeRoot);
        (maps >= 0).Should().Be(kinds["user"] == How.New);
        (root >= 0).Should().Be(kinds["user"] != How.Absent);
        if (root < 0) return;
        maps.Should().BeLessThan(root);
        for (int i = 0; i < steps.Count; i++)
        {
            bool makes = steps[i] is ForkIntoPidNamespaceStep or UnshareStep { Namespaces: not Processes.CLONE_NEWUSER };
            if (makes) i.Should().BeGreaterThan(root);
        }
    });

    /// <summary>
    /// The process that forks ends: what it did for itself after the fork would be lost. Time comes later, as setns needs no second fork.
    /// </summary>
    [Test]
    public void Fork_into_a_pid_namespace_is_followed_by_the_time_namespace_only() => ForEveryCombination((kinds, _, steps) =>
    {
        int fork = steps.FindIndex(step => step.Op == InitOp.ForkIntoPidNamespace);
        if (fork >= 0) steps.Skip(fork + 1).Select(step => step.Op).Should().BeSubsetOf([InitOp.Unshare, InitOp.TimeOffsets]);
        steps.Exists(step => step.Op == InitOp.TimeOffsets).Should().Be(kinds["time"] == How.New);
    });

    [Test]
    public void Time_offsets_become_lines_of_the_file()
    {
        LaunchPlan plan = Plans.Default(c =>
        {
            c["linux"]!["namespaces"]!.AsArray().Add(Plans.Json("""{"type":"time"}"""));
            c["linux"]!["timeOffsets"] = Plans.Json("""{"monotonic":{"secs":-5,"nanosecs":7},"boottime":{"secs":9}}""");
        });
        plan.Steps<TimeOffsetsStep>().Single().Lines.Should().Be("monotonic -5 7\nboottime 9 0\n");
    }

    [Test]
    public void Names_and_flags_are_one_table()
    {
        NamespaceNames.All.Select(NamespaceNames.Flag).Should().OnlyHaveUniqueItems().And.NotContain(0UL);
        NamespaceNames.Of(ulong.MaxValue).Should().Equal(NamespaceNames.All);
        NamespaceNames.Flag("mnt").Should().Be(0UL);
    }

    private static ulong Flags(Dictionary<string, How> kinds, How how) =>
        kinds.Where(kind => kind.Value == how).Aggregate(0UL, (flags, kind) => flags | NamespaceNames.Flag(kind.Key));

    private static void ForEveryCombination(Action<Dictionary<string, How>, NamespacePlan, List<PlanStep>> check)
    {
        string[] names = NamespaceNames.All;
        for (int code = 0; code < (int)Math.Pow(3, names.Length); code++)
        {
            Dictionary<string, How> kinds = [];
            for (int i = 0, rest = code; i < names.Length; i++, rest /= 3) kinds[names[i]] = (How)(rest % 3);
            using AssertionScope scope = new(string.Join(' ', kinds));
            LinuxConfig linux = Config(kinds);
            NamespacePlan plan = NamespacePlan.Build(linux);
            List<PlanStep> steps = [];
            plan.AddSteps(steps, linux, GroupPolicy.Set);
            check(kinds, plan, steps);
            if (scope.HasFailures()) return;
        }
    }

    private static LinuxConfig Config(Dictionary<string, How> kinds) => new()
    {
        Namespaces = [.. kinds.Where(kind => kind.Value != How.Absent)
            .Select(kind => new LinuxNamespace { Type = kind.Key, Path = kind.Value == How.Joined ? "/ns/" + kind.Key : null })],
    };
}
