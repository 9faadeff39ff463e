using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;
using Process = System.Diagnostics.Process;

namespace OciRuntime.Tests.Cgroups;

/// <summary>
/// Trees with more cgroups beside each other than are to be held in memory, or removed in the time that is for waiting; and what must not
/// be read.
/// </summary>
public sealed class WideTreeTests : CgroupFixture
{
    private const int Across = 30, Below = 4;

    /// <summary>Room for a few names, where there are a hundred and fifty.</summary>
    [TestCase("freezer")]
    [TestCase("unified")]
    public void Names_that_there_is_no_room_for_are_an_error_to_who_looks_and_work_for_later_to_who_removes(string where)
    {
        string top = Wide(where);
        CgroupControl control = new([top], room: 500);
        FluentActions.Invoking(control.Pids).Should().Throw<OciException>()
            .WithMessage("there are more cgroups below than can be looked through*");
        control.Remove(TimeSpan.FromSeconds(5));
        Directory.Exists(top).Should().BeFalse();
    }

    [Test]
    public void A_walk_gives_back_the_room_of_what_it_leaves()
    {
        string top = Wide("freezer");
        Process sleeper = Start("sleep", "1000");
        RawDirectories.Nest(top, ["last"u8.ToArray()], sleeper.Id);
        // All beside each other, and those below one of them, but not all.
        new CgroupControl([top], room: (Across + 1 + Below + 1) * 80).Pids().Should().Equal(sleeper.Id);
    }

    /// <summary>The timeout is for those who are going: 100,000 empty cgroups take longer to remove than it is.</summary>
    [TestCase("freezer")]
    [TestCase("unified")]
    public void What_is_empty_is_removed_without_regard_to_the_time_for_waiting(string where)
    {
        string top = Wide(where);
        new CgroupControl([top]).Remove(TimeSpan.Zero);
        Directory.Exists(top).Should().BeFalse();
    }

    [Test]
    public void With_no_time_for_waiting_the_process_is_named()
    {
        string top = Wide("freezer");
        Process sleeper = Start("sleep", "1000");
        RawDirectories.Nest(top, ["held"u8.ToArray()], sleeper.Id);
        FluentActions.Invoking(() => new CgroupControl([top]).Remove(TimeSpan.Zero)).Should().Throw<OciException>()
            .WithMessage($"*held by process {sleeper.Id}");
        Directory.GetDirectories(top).Should().Equal([$"{top}/held"], "the others are gone");
    }

    /// <summary>
    /// Rootless, the owner of a cgroup in the container is its user outside, and without privilege no owner reads what he has denied
    /// himself.
    /// </summary>
    [TestCase("freezer")]
    [TestCase("unified")]
    public void What_cannot_be_read_does_not_pass_for_empty(string where)
    {
        string top = Wide(where);
        Process hidden = Start("sleep", "1000");
        RawDirectories.Nest(top, ["hidden"u8.ToArray()], hidden.Id);
        System.IO.File.SetUnixFileMode($"{top}/hidden/cgroup.procs", UnixFileMode.None);
        CgroupControl control = new([top]);
        control.Pids().Should().Equal([hidden.Id], "root reads all");
        WithoutAccess(() => FluentActions.Invoking(control.Pids).Should().Throw<OciException>()
            .WithMessage("read cgroup.procs of a cgroup*").Which.Errno.Should().Be(Errno.EACCES));
    }

    /// <summary>On a thread of its own, as capabilities are each thread's.</summary>
    private static void WithoutAccess(Action action)
    {
        const ulong overrides = 0b110; // CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
        Exception? failure = null;
        Thread thread = new(() =>
        {
            try
            {
                OciException.Check(Credentials.GetPermitted(out ulong permitted), "capget");
                OciException.Check(Credentials.SetCapabilities(permitted & ~overrides, permitted & ~overrides, 0), "capset");
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null) throw new AssertionException(failure.Message, failure);
    }

    private string Wide(string where)
    {
        CgroupPlan plan = PlanOn(where);
        Cgroup.Create(plan).Dispose();
        string top = plan.Paths[0];
        for (int i = 0; i < Across; i++)
        {
            for (int j = 0; j < Below; j++) Directory.CreateDirectory($"{top}/a{i}/b{j}");
        }
        return top;
    }
}
