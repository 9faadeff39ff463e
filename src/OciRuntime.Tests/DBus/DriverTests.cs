using System.Diagnostics;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.DBus;

/// <summary>The program with --systemd-cgroup and no systemd behind the bus: an error that says so, and nothing left.</summary>
[LeavesNothing]
public sealed class DriverTests
{
    private const string Job = "/org/freedesktop/systemd1/job/9";
    private readonly TestBundle _bundle = new();

    [SetUp]
    public void OnlyOcirun() => Requires.OcirunItself();

    [OneTimeTearDown]
    public void Remove() => _bundle.Dispose();

    [Test]
    public void Nobody_listens()
    {
        using TestContainer container = Container("unix:path=/nonexistent/bus");
        container.Create().ShouldFail(1, "connect to the system bus (unix:path=/nonexistent/bus): no such file or directory (ENOENT)",
            "--cgroup-manager cgroupfs");
        NothingIsLeftOf(container);
    }

    [Test]
    public void A_bus_that_refuses()
    {
        using FakeBus bus = new(connection => connection.Send("REJECTED DBUS_COOKIE_SHA1\r\n"u8));
        using TestContainer container = Container(bus.Address.Text);
        container.Run().ShouldFail(1, "the system bus (unix:path=", "refuses uid 0");
        NothingIsLeftOf(container);
    }

    [Category("Waits")]
    [Test]
    public void A_bus_that_never_answers()
    {
        using FakeBus bus = Silent();
        using TestContainer container = Container(bus.Address.Text);
        Stopwatch time = Stopwatch.StartNew();
        container.Create().ShouldFail(1, "the system bus (unix:path=", "does not answer: AUTH took more than 30 s");
        time.Elapsed.TotalSeconds.Should().BeInRange(29, 45);
        NothingIsLeftOf(container);
    }

    [MeasuresTime]
    [Test]
    public void A_request_to_end_does_not_wait_for_the_bus()
    {
        using ManualResetEventSlim asked = new();
        using FakeBus bus = Silent(asked);
        using TestContainer container = Container(bus.Address.Text);
        using RunningCommand run = container.StartRun("--detach");
        asked.Wait(CommandOptions.DefaultTimeout).Should().BeTrue("it waits for an answer");
        Stopwatch time = Stopwatch.StartNew();
        run.Signal(15);
        // Stopping the unit is tried, in vain.
        run.Wait().ShouldFail(143, "interrupted by signal 15");
        time.Elapsed.TotalSeconds.Should().BeLessThan(10);
        NothingIsLeftOf(container);
    }

    [Test]
    public void A_systemd_that_only_says_so()
    {
        using FakeBus bus =
            FakeBus.Honest((_, serial) => [FakeBus.Return(serial, "o", w => w.String(Job)), FakeBus.JobRemoved(Job, "done")]);
        using TestContainer container = Container(bus.Address.Text);
        container.Create().ShouldFail(1, "systemd did not put process ");
        bus.Calls.ConvertAll(c => c.Member).Should()
            .Equal("Hello", "AddMatch", "StartTransientUnit", "Hello", "AddMatch", "StopUnit", "ResetFailedUnit");
        NothingIsLeftOf(container);
    }

    [Test]
    public void A_unit_of_another_is_left_alone()
    {
        using FakeBus bus = FakeBus.Honest((member, serial) =>
            [FakeBus.Error(serial, "org.freedesktop.systemd1." + (member == "ResetFailedUnit" ? "NoSuchUnit" : "UnitExists"), "no")]);
        using TestContainer container = Container(bus.Address.Text);
        container.Create().ShouldFail(1, "a unit of this name exists already, of another container or service");
        bus.Calls.ConvertAll(c => c.Member).Should().NotContain("StopUnit");
        NothingIsLeftOf(container);
    }

    /// <summary>Nothing is asked of a bus.</summary>
    [Test]
    public void Explain_shows_the_call()
    {
        CommandResult result = Ocirun.Run("--systemd-cgroup", "explain", "--bundle", _bundle.Save().Directory, "x");
        result.ShouldSucceed().Stdout.Should()
            .Contain("call StartTransientUnit on the system bus for the unit ocirun-x.scope and wait for its job")
            .And.Contain("Slice = 'system.slice'").And.Contain("DevicePolicy = 'strict'").And.Contain(
            "stop the systemd unit ocirun-x.scope, and reset it if it failed");
    }

    [TestCase("/a/b", "expected cgroupsPath to be of format")]
    [TestCase("a:b:c", "invalid slice name: a")]
    public void A_path_that_is_none_is_refused(string path, string error)
    {
        using TestBundle bundle = new();
        bundle.Linux["cgroupsPath"] = path;
        Ocirun.Run("--cgroup-manager", "systemd", "explain", "--bundle", bundle.Save().Directory, "x")
            .ShouldFail(1, "/linux/cgroupsPath", error);
    }

    private static FakeBus Silent(ManualResetEventSlim? asked = null) => new(connection =>
    {
        while (connection.Receive(new byte[1000]) > 0) asked?.Set();
    });

    private TestContainer Container(string address)
    {
        TestContainer container = new(_bundle)
        {
            Options = new CommandOptions
            {
                Timeout = TimeSpan.FromSeconds(60),
                Env = new Dictionary<string, string?> { ["DBUS_SYSTEM_BUS_ADDRESS"] = address }
            },
        };
        container.GlobalOptions.Add("--systemd-cgroup");
        return container;
    }

    private static void NothingIsLeftOf(TestContainer container) => Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty();
}
