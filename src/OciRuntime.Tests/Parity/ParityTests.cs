using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Parity;

/// <summary>
/// The same command lines for ocirun and for Debian's runc and crun: a user of either changes the program's name and nothing else.
/// What is different on purpose carries its reason and is in docs/compatibility.md.
/// </summary>
public sealed class ParityTests
{
    internal static readonly Scenario[] Scenarios =
    [
        .. ArgumentRows.Scenarios, .. GlobalRows.Scenarios, .. LifecycleRows.Scenarios, .. SignalRows.Scenarios, .. LaunchRows.Scenarios,
        .. ExecRows.Scenarios, .. OutputRows.Scenarios, .. UpdateRows.Scenarios, .. EnvironmentRows.Scenarios, .. IdRows.Scenarios,
    ];

    private const string RuncVersion = "1.1.5", CrunVersion = "1.8.1";

    // crun refuses to work where both versions of cgroups have controllers, so it gets to see only the first.
    private static RuntimeBinary Crun => Ocirun.Crun! with
    {
        Launcher = CgroupHost.Mode == CgroupMode.Hybrid
            ? ["unshare", "--mount", "sh", "-c", "umount -l /sys/fs/cgroup/unified; exec \"$0\" \"$@\""] : [],
    };

    // By name, because a test case's argument is what the runner shows.
    public static IEnumerable<string> Names => Scenarios.Select(static scenario => scenario.Name);

    [OneTimeSetUp]
    public void FindPeers()
    {
        Requires.OcirunItself();
        Requires.Version(Ocirun.Runc, RuncVersion);
        Requires.Version(Ocirun.Crun, CrunVersion);
    }

    [TestCaseSource(nameof(Names))]
    public void As(string name)
    {
        Scenario scenario = Scenarios.Single(found => found.Name == name);
        scenario.Needs?.Invoke();
        using Subject ours = new(Ocirun.Binary, scenario);
        using Subject runc = new(Ocirun.Runc!, scenario);
        using Subject crun = new(Crun, scenario);
        List<string> wrong = [];
        foreach (Row row in scenario.Rows)
        {
            // Even when one fails: the rows after it build on what it does.
            Outcome[] all = [ours.Do(row), runc.Do(row), crun.Do(row)];
            Judge(row, all[0], all[1], all[2], wrong);
        }
        wrong.Should().BeEmpty();
    }

    private static void Judge(Row row, Outcome ours, Outcome runc, Outcome crun, List<string> wrong)
    {
        (bool isRuncs, bool isCruns) = (ours.Matches(runc, row.MayHaveMore), ours.Matches(crun, row.MayHaveMore));
        List<string> problems = [];
        if ((isRuncs, isCruns) != (row.Relation.Runc, row.Relation.Crun))
            problems.Add($"as runc: {isRuncs} {ours.Missing(runc)}, as crun: {isCruns} {ours.Missing(crun)}");
        if (ours.IsBlind) problems.Add("ocirun's effect could not be read, so there is nothing to compare");
        foreach (string text in row.Says)
        {
            if (!ours.Says(text)) problems.Add($"ocirun does not say \"{text}\"");
            if (row.Relation.Runc && !runc.Says(text)) problems.Add($"runc does not say \"{text}\"");
        }
        if (problems.Count > 0)
            wrong.Add($"\n## {row.Name}: `{row.Command}`: {string.Join("; ", problems)}\n  ocirun: {ours}\n  runc: {runc}\n  crun: {crun}");
    }
}
