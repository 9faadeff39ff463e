using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Host;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;
using Process = System.Diagnostics.Process;

namespace OciRuntime.Tests.Cgroups;

/// <summary>Where a process is below its container's cgroup: not by what /proc says of it, which is cut, and not always text.</summary>
public sealed class ProcessCgroupTests : CgroupFixture
{
    [Test]
    public void The_cgroup_of_a_process_is_found_whatever_its_name_and_depth()
    {
        CgroupPlan plan = PlanOn("unified");
        Cgroup.Create(plan).Dispose();
        Process shallow = Start("sleep", "1000"), deep = Start("sleep", "1000"), outside = Start("sleep", "1000");
        byte[] name = [.. Enumerable.Repeat((byte)0xff, 200)];
        RawDirectories.Nest(plan.Paths[0], ["init.scope"u8.ToArray()], shallow.Id);
        RawDirectories.Nest(plan.Paths[0], Enumerable.Repeat(name, 40), deep.Id);
        Below(plan, shallow).Should().Equal(Encoding.UTF8.GetBytes("/init.scope"));
        Below(plan, deep).Should().HaveCount(40 * 201, "longer than PATH_MAX");
        FluentActions.Invoking(() => Below(plan, outside)).Should().Throw<OciException>()
            .WithMessage($"find process {outside.Id} in cgroup *no such file or directory*");
    }

    /// <summary>The line of v1 that comes first must not pass for that of v2.</summary>
    [Test]
    public void Names_that_end_a_line_for_others_do_not_end_it_here()
    {
        CgroupHierarchy unified = new("/sys/fs/cgroup/unified", [], null, Unified: true);
        foreach (string end in (string[])["\r", "\f", "\u0085", "\u2028", "\u2029"])
            OciRuntime.Host.CgroupHost.Membership($"5:freezer:/c/x{end}0::/other\n0::/c\n", unified).Should().Be("/c");
    }

    [TestCase("Name:\tx\rTgid:\t1\nUmask:\t0022\nTgid:\t77\nPid:\t78\n", 77)]
    [TestCase("Name:\tTgid:\t1\nTgid:\t77\n", 77)]
    [TestCase("Name:\tx\nPid:\t78\n", 0)]
    [TestCase("", 0)]
    public void The_process_of_a_thread(string status, int expected) =>
    CgroupProcesses.ProcessOf(Encoding.UTF8.GetBytes(status)).Should().Be(expected);

    private static byte[] Below(CgroupPlan plan, Process process)
    {
        using OpenCgroups entry = OpenCgroups.OpenOfProcess(plan.Paths, process.Id, out byte[] below);
        Files.ReadFileAt(entry.UnifiedFd, "cgroup.procs", 4096, out _).Should().Equal(Encoding.ASCII.GetBytes($"{process.Id}\n"));
        return below;
    }
}
