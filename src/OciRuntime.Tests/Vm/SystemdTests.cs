using NUnit.Framework;

namespace OciRuntime.Tests.Vm;

/// <summary>All that the systemd cgroup driver does with a real systemd, root's and a user's.</summary>
/// <param name="suite">Debian's, with its kernel.</param>
[TestFixture("trixie")]
[TestFixture("bookworm", Category = "ByHand")]
[TestFixture("testing", Category = "ByHand")]
[TestFixture("resolute", Category = "ByHand")]
public sealed partial class SystemdTests(string suite) : SystemdLimitTests(suite)
{
    private protected override void AddChecks()
    {
        base.AddChecks();
        AddLifeChecks();
        AddUserChecks();
        AddPodmanChecks();
        AddBusChecks();
    }
}
