using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>What of many findings is named.</summary>
public sealed class ReportTests
{
    [Test]
    public void A_breach_is_named_behind_any_number_of_others()
    {
        Report report = new("web", "running");
        Promise promise = new("privileges", "/process/capabilities", "no capabilities");
        for (int pid = 1; pid <= 40; pid++) report.Add(promise, Seen.Unchecked("gone"), pid);
        report.Add(promise, new(Outcome.Broken, "it has more"), 41);
        report.Text(all: false).Should().Contain("process 16: gone").And.NotContain("process 17:").And.Contain("process 41: it has more")
            .And.Contain("0 held, 1 broken, 0 drifted, 17 not checkable");
    }
}
