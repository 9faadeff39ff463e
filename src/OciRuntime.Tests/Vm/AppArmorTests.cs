using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>`process.apparmorProfile` on a kernel with AppArmor, with a profile that denies one thing.</summary>
[Category("Slow")]
public sealed class AppArmorTests
{
    private const string Profile = "ocirun-test";
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Options("--lsm", "apparmor").GuestFile("apparmor.profile")
            .Prelude("apparmor_parser --add --skip-cache --quiet /apparmor.profile");
        foreach (bool noNewPrivileges in (bool[])[false, true])
            Add(nameof(The_profile_is_enforced) + noNewPrivileges, Profile, bundle => bundle.Process["noNewPrivileges"] = noNewPrivileges);
        Add(nameof(Hooks_in_the_container_take_the_profile), Profile, bundle =>
        {
            bundle.Config["hooks"] =
                JsonNode.Parse(
                """{ "startContainer": [ { "path": "/bin/sh", "args": [ "sh", "-c", "cat /proc/self/attr/current >/dev/shm/hook" ] } ] }""");
            bundle.Script("cat /dev/shm/hook");
        });
        Add(nameof(A_user_namespace_is_no_obstacle), Profile, bundle => bundle.WithUserNamespace());
        Add(nameof(Unconfined_can_be_asked_for), "unconfined", _ => { });
        Add(nameof(A_profile_that_is_not_loaded_is_refused), "nosuch", _ => { });
        _vm.Add(nameof(Exec_takes_the_containers_profile_or_another), bundle =>
        {
            bundle.Process["apparmorProfile"] = Profile;
            bundle.Args("sleep", "1000");
        }, """
            ocirun create $id && ocirun start $id || exit
            ocirun exec $id sh -c "cat /proc/self/attr/current; wc -l </etc/passwd" || echo $?
            ocirun exec --no-new-privs $id cat /proc/self/attr/current
            ocirun exec --apparmor unconfined $id sh -c "cat /proc/self/attr/current; wc -l </etc/passwd"
            ocirun exec --apparmor nosuch $id true || echo $?
            ocirun delete --force $id
            """);
        _vm.Add(nameof(Verify_and_check_tell_the_profile), bundle =>
        {
            bundle.Process["apparmorProfile"] = Profile;
            bundle.Args("sleep", "1000");
        }, $$"""
            profile() { ocirun "$@" | grep -A 1 /process/apparmorProfile; }
            promise() { sed "s/{{Profile}}/$1/" config.json >/run/ocirun/$id/config.json; }
            ocirun create $id && ocirun start $id || exit
            ocirun verify --all $id | grep -e /process/apparmorProfile -e running,
            promise another; profile verify $id
            ocirun delete --force $id
            sed -i "s/{{Profile}}/unconfined/" config.json
            ocirun create $id && ocirun start $id || exit
            sed "s/unconfined/{{Profile}}/" config.json >/run/ocirun/$id/config.json; profile verify $id
            ocirun delete --force $id
            sed "s/unconfined/{{Profile}}/" config.json >other.json; profile check --bundle . --config other.json
            sed "s/unconfined/nosuch/" config.json >other.json; profile check --bundle . --config other.json
            """);
        _vm.AddFixture("labels-apparmor");
        _vm.Run();
    }

    [Test]
    public void Section_of_the_specification() => _vm.Result("labels-apparmor").ShouldSucceed();

    private void Add(string name, string profile, Action<TestBundle> configure) => _vm.Add(name, bundle =>
    {
        bundle.Process["apparmorProfile"] = profile;
        bundle.Script("cat /proc/self/attr/current; wc -l </etc/group; wc -l </etc/passwd");
        configure(bundle);
    }, "ocirun run $id");

    [Test]
    public void The_profile_is_enforced([Values] bool noNewPrivileges)
    {
        CommandResult result = _vm.Result(nameof(The_profile_is_enforced) + noNewPrivileges)
            .ShouldFail(1, "can't open /etc/passwd: Permission denied");
        result.Lines.Should().Equal($"{Profile} (enforce)", "3");
    }

    [Test]
    public void Hooks_in_the_container_take_the_profile() => _vm.Result().ShouldSucceed().Text.Should().Be($"{Profile} (enforce)");

    [Test]
    public void A_user_namespace_is_no_obstacle() => _vm.Result().ShouldFail(1).Lines.Should().Equal($"{Profile} (enforce)", "3");

    [Test]
    public void Unconfined_can_be_asked_for() => _vm.Result().ShouldSucceed().Lines.Should().Equal("unconfined", "3", "2");

    [Test]
    public void Exec_takes_the_containers_profile_or_another()
    {
        CommandResult result = _vm.Result().ShouldSucceed();
        result.Lines.Should().Equal($"{Profile} (enforce)", "1", $"{Profile} (enforce)", "unconfined", "2", "255");
        result.Stderr.Should()
            .Contain("can't open /etc/passwd: Permission denied").And.Contain("write exec nosuch").And.Contain("the profile is not loaded");
    }

    [Test]
    public void Verify_and_check_tell_the_profile()
    {
        string[] lines = [.. _vm.Result().ShouldSucceed().Lines.Select(static line => Regex.Replace(line.Trim(), "^process [0-9]+: ", ""))];
        lines[1].Should().Contain(" 0 broken, 0 drifted, ");
        lines.Where(static (_, i) => i != 1).Should().Equal(
            $"held      /process/apparmorProfile: the label {Profile}",
            "drifted   /process/apparmorProfile: the label another",
            $"it has {Profile} (enforce), as a program with a label of its own does",
            $"broken    /process/apparmorProfile: the label {Profile}",
            "it has unconfined",
            "missing  /process/apparmorProfile: the profile nosuch is not loaded",
            "create fails there");
    }

    [Test]
    public void A_profile_that_is_not_loaded_is_refused() =>
        _vm.Result().ShouldFail(1, "/process/apparmorProfile: write exec nosuch",
        "no such file or directory (ENOENT): the profile is not loaded");
}
