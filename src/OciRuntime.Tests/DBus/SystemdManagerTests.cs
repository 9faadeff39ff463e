using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.DBus;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Tests.DBus;

/// <summary>The conversation with systemd: what it may answer, and what is done then. A real one is asked in Vm/SystemdTests.</summary>
public sealed class SystemdManagerTests
{
    private const string Job = "/org/freedesktop/systemd1/job/9";
    private static readonly SystemdUnit Unit = new("x.scope", "system.slice", IsUser: false);

    private static List<UnitProperty> Properties() =>
    [
        UnitProperty.Text("Description", "d"),
        new("MemoryMax", VariantValue.OfNumber("t", 5), "/linux/resources/memory/limit", Dispensable: true),
        new("MemoryZSwapMax", VariantValue.OfNumber("t", 6), "", Dispensable: true),
        new("Odd", VariantValue.OfNumber("b", 1), "/annotations/org.systemd.property.Odd"),
    ];

    [Test]
    public void A_unit_is_started_when_its_job_is_done()
    {
        // Those of other jobs, and of others who pretend, do not count.
        using FakeBus bus = FakeBus.Honest((_, serial) =>
            [FakeBus.JobRemoved("/other", "failed"), FakeBus.JobRemoved(Job, "failed", sender: ":1.666"),
            FakeBus.Return(serial, "o", w => w.String(Job)), FakeBus.JobRemoved(Job, "done")]);
        Start(bus);
        bus.Calls.ConvertAll(c => c.Member).Should().Equal("Hello", "AddMatch", "StartTransientUnit");
        Encoding.UTF8.GetString(bus.Calls[1].Body).Should().Contain("sender='org.freedesktop.systemd1'").And.Contain("arg2='x.scope'");
    }

    [Test]
    public void A_job_that_failed_is_an_error()
    {
        using FakeBus bus =
            FakeBus.Honest((_, serial) => [FakeBus.Return(serial, "o", w => w.String(Job)), FakeBus.JobRemoved(Job, "fa\niled")]);
        Starting(bus).Should().Throw<OciException>()
            .WithMessage("start the systemd unit x.scope: the job ended with \"fa\\niled\"; journalctl may tell why");
    }

    [Test]
    public void What_an_older_systemd_does_not_know_is_left_out()
    {
        List<string> messages = ["Cannot set property MemoryZSwapMax, or unknown property.",
            "Value specified in MemoryMax is out of range"];
        using FakeBus bus = FakeBus.Honest((_, serial) =>
        {
            if (messages.Count == 0) return [FakeBus.Return(serial, "o", w => w.String(Job)), FakeBus.JobRemoved(Job, "done")];
            string message = messages[0];
            messages.RemoveAt(0);
            return [FakeBus.Error(serial, message.StartsWith("Value", StringComparison.Ordinal) ? "org.freedesktop.DBus.Error.InvalidArgs"
                : "org.freedesktop.DBus.Error.PropertyReadOnly", message)];
        });
        Start(bus);
        bus.Calls.FindAll(c => c.Member == "StartTransientUnit")
            .ConvertAll(c =>
            string.Join(' ', Properties().FindAll(p => Encoding.UTF8.GetString(c.Body).Contains(p.Name)).ConvertAll(p => p.Name)))
            .Should().Equal("Description MemoryMax MemoryZSwapMax Odd", "Description MemoryMax Odd", "Description Odd");
    }

    [TestCase("org.freedesktop.DBus.Error.PropertyReadOnly", "Cannot set property Odd, or unknown property.",
        "/annotations/org.systemd.property.Odd: start the systemd unit x.scope on the fake bus*: Cannot set property Odd*")]
    [TestCase("org.freedesktop.DBus.Error.AccessDenied", "Cannot set property MemoryMax.",
        "start the systemd unit x.scope on the fake bus (*): Cannot set property MemoryMax. (org.freedesktop.DBus.Error.AccessDenied): "
        + "uid {0} may not*")]
    [TestCase("org.freedesktop.DBus.Error.InvalidArgs", "Something else", "start the systemd unit*: Something else (*InvalidArgs)")]
    public void What_was_asked_for_by_name_is_not_left_out(string name, string text, string error)
    {
        using FakeBus bus = FakeBus.Honest((_, serial) => [FakeBus.Error(serial, name, text)]);
        Starting(bus).Should().Throw<OciException>().WithMessage(error.Replace("{0}", $"{Processes.EffectiveUid()}"));
    }

    [Test]
    public void A_failed_unit_of_the_name_is_reset()
    {
        int starts = 0;
        using FakeBus bus = FakeBus.Honest((member, serial) => member switch
        {
            "ResetFailedUnit" => [FakeBus.Return(serial)],
            _ when starts++ == 0 => [FakeBus.Error(serial, "org.freedesktop.systemd1.UnitExists", "Unit x.scope already exists.")],
            _ => [FakeBus.Return(serial, "o", w => w.String(Job)), FakeBus.JobRemoved(Job, "done")],
        });
        Start(bus);
        bus.Calls.ConvertAll(c => c.Member).Should()
            .Equal("Hello", "AddMatch", "StartTransientUnit", "ResetFailedUnit", "StartTransientUnit");
    }

    [Test]
    public void A_unit_of_the_name_that_stays_is_anothers()
    {
        using FakeBus bus = FakeBus.Honest((member, serial) =>
            [FakeBus.Error(serial, "org.freedesktop.systemd1." + (member == "ResetFailedUnit" ? "NoSuchUnit" : "UnitExists"), "no")]);
        OciException error = Starting(bus).Should().Throw<OciException>().Which;
        error.Message.Should().Be("start the systemd unit x.scope: a unit of this name exists already, of another container or service");
        error.Errno.Should().Be(Errno.EEXIST);
        bus.Calls.Should().HaveCount(5);
    }

    [TestCase("u", "answers StartTransientUnit with arguments \"u\" where \"o\" belong")]
    [TestCase("o", "closed the connection instead of answering StartTransientUnit")]
    public void Nonsense_is_an_error(string signature, string error)
    {
        using FakeBus bus = new(connection =>
        {
            FakeBus.Welcome(connection);
            for (int i = 0; i < 3; i++)
            {
                (BusMessage call, uint serial, _) = FakeBus.Receive(connection);
                connection.Send(call.Member != "StartTransientUnit" ? FakeBus.Return(serial)
                    : FakeBus.Return(serial, signature, w => { if (signature == "u") w.UInt32(1); else w.String(Job); }));
            }
        });
        Starting(bus).Should().Throw<OciException>().Which.Message.Should().Contain(error);
    }

    [TestCase("/user.slice/user@1.service", null)]
    [TestCase("", null)]
    [TestCase("relative", "says that its cgroup is \"relative\"")]
    [TestCase("/a/../b", "says that its cgroup is")]
    [TestCase("/a/..", "says that its cgroup is")]
    public void The_managers_cgroup_is_checked(string path, string? error)
    {
        using FakeBus bus = FakeBus.Honest((_, serial) => [FakeBus.Return(serial, "v", w => { w.Signature("s"); w.String(path); })]);
        using SystemdManager manager = new(BusConnection.Open(bus.Address, 5));
        if (error is null) manager.ControlGroup().Should().Be(path);
        else manager.Invoking(m => m.ControlGroup()).Should().Throw<OciException>().Which.Message.Should().Contain(error);
    }

    private static Action Starting(FakeBus bus) => () => Start(bus);

    private static void Start(FakeBus bus)
    {
        using SystemdManager manager = new(BusConnection.Open(bus.Address, 5));
        manager.Start(Unit, Properties());
    }
}
