using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>What the test host may lack and a virtual machine has: pure cgroup v2 with controllers, and every capability.</summary>
/// <param name="suite">Debian's whose kernel it is.</param>
/// <param name="machine">What it runs on.</param>
[TestFixture("bookworm", "amd64")]
[TestFixture("trixie", "amd64", Category = "ByHand")]
[TestFixture("testing", "amd64", Category = "ByHand")]
[TestFixture("resolute", "amd64", Category = "ByHand")]
[TestFixture("trixie", "arm64", Category = "ByHand")]
[TestFixture("trixie", "arm64-16k", Category = "ByHand")]
[Category("Slow")]
public sealed partial class PlainTests(string suite, string machine)
{
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Of(suite).On(machine);
        AddCgroupChecks();
        AddPrivilegeChecks();
        AddExecChecks();
        AddLiveChecks();
        AddNamespaceChecks();
        AddDeviceChecks();
        AddSeccompChecks();
        _vm.AddFixture("resources-unified");
        _vm.Run();
    }

    [Test]
    public void Section_of_the_specification() => _vm.Result("resources-unified").ShouldSucceed();
}
