using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>What the test host may lack and a virtual machine has: pure cgroup v2 with controllers, and every capability.</summary>
[Category("Slow")]
public sealed partial class PlainTests
{
    private readonly VmChecks _vm = new();

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        AddCgroupChecks();
        AddPrivilegeChecks();
        AddExecChecks();
        AddLiveChecks();
        AddNamespaceChecks();
        AddDeviceChecks();
        _vm.AddFixture("resources-unified");
        _vm.Run();
    }

    [Test]
    public void Section_of_the_specification() => _vm.Result("resources-unified").ShouldSucceed();
}
