using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Tests.Fuzz;
using OciRuntime.Tests.Plan;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>
/// What steps say, and who does something about it: nothing is said that nobody expects, and nothing is expected that nobody says.
/// </summary>
public sealed class AnswerTests
{
    /// <summary>Each step that says something, in the form in which it says the most.</summary>
    private static readonly PlanStep[] Speakers =
    [
        new AwaitCgroupStep(Origin.Runtime), new AwaitIdMapsStep(), new TimeOffsetsStep(Origin.Runtime, "monotonic 1 0\n"),
        new ForkIntoPidNamespaceStep(Origin.Runtime), new AwaitNetworkDevicesStep(), new AwaitHooksStep(), new AwaitLimitsStep(),
        new MountBindStep(Origin.Runtime) { Source = "/s", Target = new("t"), IdMap = new([], [], Recursive: false) },
        new MountFilesystemStep(Origin.Runtime) { Type = "ext4", Target = new("t"), Options = [], OnDevice = true },
        new DeviceMountStep(Origin.Runtime, "dev/x", new(), []), new ConsoleStep(Origin.Runtime, new(), TerminalRole.Console),
        new SeccompStep(
            new() { Instructions = [], DefaultAction = 0, Flags = SeccompFilter.FLAG_NEW_LISTENER, UnknownNames = [] }, isLastStep: true),
        new AwaitCommitStep(), new ReadyStep(), new ExecuteStep("x"),
    ];

    private static SyncKind[] All(IEnumerable<PlanStep> steps) => [.. steps.SelectMany(static step => step.Says).Distinct()];

    [Test]
    public void Each_kind_of_message_is_some_steps() => All(Speakers).Should()
        .BeEquivalentTo(Enum.GetValues<SyncKind>().Except([SyncKind.Error, SyncKind.Look]));

    [Test]
    public void A_launch_answers_all_but_what_only_live_mounts_ask()
    {
        LaunchPreparation run = LaunchPreparation.Decide(new() { Verb = "run", Id = "c", OnlyExplain = true }, "/run/ocirun/c",
            SpecFixtures.Parse("kitchen-sink"), "/b", "/b/rootfs", Plans.Root, PlanningTarget.CgroupHosts["v2"], [], []);
        foreach (PlanStep step in Speakers)
        {
            foreach (SyncKind said in step.Says)
                (LaunchActions.Answer(run, step, said) is null).Should().Be(said is SyncKind.Commit or SyncKind.Executing, "{0}", said);
        }
    }

    [Test]
    public void An_exec_answers_what_its_steps_say()
    {
        LaunchPlan plan = Plans.Exec(
            static config =>
            {
                config["process"]!["terminal"] = true;
                config["linux"]!["seccomp"] = Plans.Json("""
                    {"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/l","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_NOTIFY"}]}
                    """);
            },
            systemd: true);
        using ExecLaunch launch = new(new(), Plans.Parse(DefaultConfig.Create()), null!, new(), null!);
        Answered(message => launch.Answer(message, static _ => { })).Should().BeEquivalentTo(All(plan.Steps).Except([SyncKind.Executing]));
    }

    [Test]
    public void Live_mounts_answer_what_their_steps_say()
    {
        LaunchPlan plan = Plans.Live(static config => config["mounts"]!.AsArray().Add(Plans.Json(
            """{"destination":"/v","type":"bind","source":"/tmp","options":["bind","idmap=uids=0-100000-9;gids=0-100000-9"]}""")));
        LiveMounts mounts = new(Plans.Parse(DefaultConfig.Create()), null!, new(), null!, static _ => { }, static _ => { });
        Answered(message => mounts.Answer(message, null!, null!)).Should().BeEquivalentTo(All(plan.Steps));
    }

    private static IEnumerable<SyncKind> Answered(Func<InitMessage, Action?> answer) => Enum.GetValues<SyncKind>()
        .Where(kind => answer(new()
        {
            Kind = kind,
            Step = Speakers[0],
            Op = default,
            Errno = 0,
            Detail = default,
            Value = 0,
            Text = "",
            Descriptor = new Fd(-1),
        }) is not null);
}
