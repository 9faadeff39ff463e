using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Launch;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Exec;

/// <summary>Which processes of an exec have other rights than the container's program, as `verify` has to know.</summary>
public sealed class ExecRightsTests
{
    private static readonly (string Name, Action<Process> Change)[] Changes =
    [
        ("uid", static process => process.User.Uid = 0),
        ("gid", static process => process.User.Gid = 0),
        ("groups", static process => process.User.AdditionalGids = [5, 6]),
        ("bounding", static process => process.Capabilities!.Bounding = ["CAP_KILL", "CAP_SYS_ADMIN"]),
        ("effective", static process => process.Capabilities!.Effective = ["CAP_KILL"]),
        ("inheritable", static process => process.Capabilities!.Inheritable = ["CAP_KILL"]),
        ("permitted", static process => process.Capabilities!.Permitted = ["CAP_KILL"]),
        ("ambient", static process => process.Capabilities!.Ambient = ["CAP_KILL"]),
        ("all capabilities", static process => process.Capabilities = null),
        ("no_new_privs", static process => process.NoNewPrivileges = false),
        ("limit", static process => process.Rlimits[0].Hard = 2048),
        ("kind of limit", static process => process.Rlimits[0].Type = "RLIMIT_NPROC"),
        ("limits", static process => process.Rlimits = []),
        ("oom_score_adj", static process => process.OomScoreAdj = 0),
        ("AppArmor", static process => process.ApparmorProfile = "unconfined"),
        ("SELinux", static process => process.SelinuxLabel = null),
    ];

    private static IEnumerable<string> Names => Changes.Select(static change => change.Name);

    [TestCaseSource(nameof(Names))]
    public void What_is_other_is_told(string name)
    {
        Process process = Own();
        Changes.Single(change => change.Name == name).Change(process);
        ExecProcess.Differs(process, Own()).Should().BeTrue();
    }

    [Test]
    public void Another_program_has_the_same_rights()
    {
        Process process = Own(), own = Own();
        process.Args = ["sh"];
        process.Terminal = true;
        process.Env = ["A=1"];
        ExecProcess.Differs(process, own).Should().BeFalse();
        own.NoNewPrivileges = false;
        ExecProcess.Differs(process, own).Should().BeFalse("it may gain less");
    }

    private static Process Own() => new()
    {
        User = new() { Uid = 1000, Gid = 1000, AdditionalGids = [5] },
        Capabilities = new() { Bounding = ["CAP_KILL"] },
        NoNewPrivileges = true,
        Rlimits = [new() { Type = "RLIMIT_NOFILE", Soft = 512, Hard = 1024 }],
        OomScoreAdj = 500,
        ApparmorProfile = "docker-default",
        SelinuxLabel = "label",
    };
}
