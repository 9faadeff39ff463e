using System.Text.Json.Nodes;
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
        _vm.Options("--lsm", "apparmor").GuestFile("apparmor.profile").Prelude("apparmor_parser --add --skip-cache --quiet /apparmor.profile");
        foreach (bool noNewPrivileges in (bool[])[false, true])
        {
            Add(nameof(The_profile_is_enforced) + noNewPrivileges, Profile, bundle => bundle.Process["noNewPrivileges"] = noNewPrivileges);
        }
        Add(nameof(Hooks_in_the_container_take_the_profile), Profile, bundle =>
        {
            bundle.Config["hooks"] = JsonNode.Parse("""{ "startContainer": [ { "path": "/bin/sh", "args": [ "sh", "-c", "cat /proc/self/attr/current >/dev/shm/hook" ] } ] }""");
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
        CommandResult result = _vm.Result(nameof(The_profile_is_enforced) + noNewPrivileges).ShouldFail(1, "can't open /etc/passwd: Permission denied");
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
        result.Stderr.Should().Contain("can't open /etc/passwd: Permission denied").And.Contain("write exec nosuch").And.Contain("the profile is not loaded");
    }

    [Test]
    public void A_profile_that_is_not_loaded_is_refused() =>
        _vm.Result().ShouldFail(1, "/process/apparmorProfile: write exec nosuch", "no such file or directory (ENOENT): the profile is not loaded");
}
