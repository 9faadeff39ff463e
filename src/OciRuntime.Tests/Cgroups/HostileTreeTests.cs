using System.Diagnostics;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cgroups;

/// <summary>Trees that a container makes below its cgroup to hide in, or to keep the runtime busy.</summary>
public sealed class HostileTreeTests : CgroupFixture
{
    private static readonly byte[][] Names =
    [
        [0xff, 0xfe], [0xc3], "\u00e9 \u2028"u8.ToArray(), "a\r0::"u8.ToArray(), "\e[2J"u8.ToArray(), "123"u8.ToArray(), " "u8.ToArray(),
        "-rf"u8.ToArray(),
        [.. Enumerable.Repeat((byte)0x80, 255)], Encoding.ASCII.GetBytes(new string('n', 255)),
    ];

    /// <summary>On the v1 freezer alone, which stands for every hierarchy without events and without cgroup.kill, and on v2.</summary>
    [TestCase("freezer")]
    [TestCase("unified")]
    public void Names_are_bytes(string where)
    {
        (CgroupControl control, string top) = New(where);
        List<Process> hidden = [];
        foreach (byte[] name in Names)
        {
            hidden.Add(Start("sleep", "1000"));
            RawDirectories.Nest(top, [name, name], hidden[^1].Id);
        }
        control.Pids().Should().BeEquivalentTo(hidden.Select(p => p.Id));
        control.KillAll(Processes.SIGKILL).Should().BeTrue();
        foreach (Process p in hidden) p.WaitForExit(5000).Should().BeTrue();
        InTime(() => control.Remove(TimeSpan.FromSeconds(5)));
        Directory.Exists(top).Should().BeFalse();
    }

    /// <summary>The kernel refuses the one byte that would break /proc/PID/cgroup into lines (cgroup_mkdir()).</summary>
    [TestCase("freezer")]
    [TestCase("unified")]
    public void Names_have_no_line_feed(string where)
    {
        (_, string top) = New(where);
        FluentActions.Invoking(() => RawDirectories.Nest(top, ["a\nb"u8.ToArray()])).Should().Throw<OciException>().Which.Errno.Should()
            .Be(Errno.EINVAL);
    }

    /// <summary>Names of 255 bytes: the path of the innermost is half a megabyte.</summary>
    [MeasuresTime]
    [TestCase("freezer", 1)]
    [TestCase("unified", 255)]
    public void Depth_is_no_more_than_number(string where, int length)
    {
        (CgroupControl control, string top) = New(where);
        Process p = Start("sleep", "1000");
        RawDirectories.Nest(top, Enumerable.Repeat(Enumerable.Repeat((byte)0xe9, length).ToArray(), 2000), p.Id);
        int before = Descriptors();
        control.Pids().Should().Equal(p.Id);
        control.KillAll(Processes.SIGKILL).Should().BeTrue();
        p.WaitForExit(5000).Should().BeTrue();
        Stopwatch watch = Stopwatch.StartNew();
        InTime(() => control.Remove(TimeSpan.FromSeconds(5)));
        // A quarter of a second by itself; with a walk from the top for each it was more than a minute.
        watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(3));
        Directory.Exists(top).Should().BeFalse();
        Descriptors().Should().BeLessThan(before + 100, "none is left behind on the way down; the test host has its own coming and going");
    }

    [Test]
    public void All_levels_that_were_frozen_are_thawed()
    {
        (CgroupControl control, string top) = New("freezer");
        List<Process> frozen = [];
        string path = top;
        for (int i = 0; i < 5; i++)
        {
            frozen.Add(Start("sleep", "1000"));
            RawDirectories.Nest(path, [[(byte)'f']], frozen[^1].Id);
            path += "/f";
        }
        for (; path != top; path = Path.GetDirectoryName(path)!) System.IO.File.WriteAllText($"{path}/freezer.state", "FROZEN");
        control.KillAll(Processes.SIGKILL).Should().BeTrue();
        foreach (Process p in frozen) p.WaitForExit(5000).Should().BeTrue("a frozen process does not even die");
        InTime(() => control.Remove(TimeSpan.FromSeconds(5)));
    }

    /// <summary>v1 only: cgroup v2 has no rename(2).</summary>
    [Test]
    public void A_cgroup_that_is_renamed_all_the_time_does_not_hide_its_processes()
    {
        (CgroupControl control, string top) = New("freezer");
        Process p = Start("sleep", "1000");
        RawDirectories.Nest(top, ["a"u8.ToArray()], p.Id);
        using CancellationTokenSource end = new();
        Task renaming = OwnThread.Run(() =>
        {
            for (bool there = false; !end.IsCancellationRequested; there = !there)
                RawDirectories.Rename(top, there ? "b" : "a", there ? "a" : "b");
        });
        try
        {
            for (int i = 0; i < 500; i++) control.Pids().Should().Equal([p.Id], "round {0}", i);
        }
        finally
        {
            end.Cancel();
            renaming.Wait();
        }
    }

    /// <summary>
    /// Somebody outside of the container's processes makes cgroups as fast as the runtime removes them: an error, in time.
    /// </summary>
    [MeasuresTime]
    [Test]
    public void Removal_ends_while_new_ones_are_made()
    {
        (CgroupControl control, string top) = New("freezer");
        using CancellationTokenSource end = new();
        Task[] making = [.. Enumerable.Range(0, 3).Select(maker => OwnThread.Run(() =>
        {
            for (int i = 0; !end.IsCancellationRequested; i = (i + 1) % 100)
            {
                try
                {
                    Directory.CreateDirectory($"{top}/{maker}/{i}/x");
                }
                catch (IOException)
                {
                    // Removed between two of the calls.
                }
            }
        }))];
        try
        {
            Stopwatch watch = Stopwatch.StartNew();
            InTime(() =>
            {
                try
                {
                    control.Remove(TimeSpan.FromMilliseconds(500));
                }
                catch (OciException e) when (e.Errno == Errno.EBUSY)
                {
                    watch.Elapsed.Should().BeGreaterThan(TimeSpan.FromMilliseconds(400));
                }
            });
            watch.Elapsed.Should().BeLessThan(TimeSpan.FromSeconds(5));
        }
        finally
        {
            end.Cancel();
            Task.WaitAll(making);
        }
    }

    /// <summary>A thread chooses its name, and what ends a line in it must not make the next one say whose thread it is.</summary>
    [Test]
    public void A_thread_in_a_threaded_cgroup_cannot_have_another_process_killed()
    {
        (CgroupControl control, string top) = New("unified");
        Process victim = Start("sleep", "1000");
        Process liar = Start("sh", "-c", $"printf '\\rTgid:\\t{victim.Id}' >/proc/$$/comm; echo named; read wait");
        liar.StandardOutput.ReadLine().Should().Be("named");
        Directory.CreateDirectory($"{top}/t");
        System.IO.File.WriteAllText($"{top}/t/cgroup.type", "threaded");
        System.IO.File.WriteAllText($"{top}/cgroup.procs", $"{liar.Id}");
        System.IO.File.WriteAllText($"{top}/t/cgroup.threads", $"{liar.Id}");
        new CgroupControl([$"{top}/t"]).Pids().Should().Equal(liar.Id);
        control.KillAll(Processes.SIGTERM).Should().BeTrue();
        liar.WaitForExit(5000).Should().BeTrue();
        victim.HasExited.Should().BeFalse();
    }

    private static int Descriptors() => Directory.GetFileSystemEntries("/proc/self/fd").Length;

    /// <summary>What spins shall fail one test and not stop them all.</summary>
    private static void InTime(Action action)
    {
        Task task = OwnThread.Run(action);
        Task.WaitAny([task], TimeSpan.FromSeconds(20)).Should().Be(0, "it comes to an end");
        task.GetAwaiter().GetResult();
    }

    private (CgroupControl Control, string Top) New(string where)
    {
        CgroupPlan plan = PlanOn(where);
        Cgroup.Create(plan).Dispose();
        return (new CgroupControl(plan.Paths), plan.Paths[0]);
    }
}
