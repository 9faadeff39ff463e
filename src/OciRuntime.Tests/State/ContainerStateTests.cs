using System.Text;
using System.Text.Json;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class ContainerStateTests
{
    [Test]
    public void Round_trip_keeps_every_field()
    {
        ContainerState state = new()
        {
            Id = "web",
            Phase = ContainerPhase.Creating,
            Init = new ProcessIdentity(4711, ulong.MaxValue),
            Creator = new ProcessIdentity(42, 7),
            Created = Timestamp.Now(),
            Bundle = "/b/\"ünï\"\n",
            Rootfs = "/b/rootfs",
            CgroupManager = "systemd",
            CgroupDirectories = ["/sys/fs/cgroup/memory/x", "/sys/fs/cgroup/pids/x"],
            CgroupsCreated = ["/sys/fs/cgroup/pids/x"],
            CgroupsToEmpty = ["/sys/fs/cgroup/memory/x"],
            CgroupParents = ["/sys/fs/cgroup/pids/pod"],
            DeviceProgram = "ocirun_01234567",
            DeviceRules = ["deny a *:* rwm"],
            UpdatedLimits = ["memory.max", "pids.max"],
            ResctrlGroups = ["/sys/fs/resctrl/web"],
            SystemdUnit = "ocirun-web.scope",
            PrivatePidNamespace = true,
            Keyring = true,
            SystemdUser = true,
            ProtectiveMounts = [17, ulong.MaxValue],
            HostMount = new HostMount(1, 2, 3, 4, 5),
            OwnerUid = 4_000_000_000,
            NotifySocket = "/run/notify",
            Poststart = [Hook("/a", ["a", ""], ["K=V"], 3)],
            Poststop = [Hook("/b", [], [], null), Hook("/c", ["c"], [], null)],
        };
        state.Annotations["org.example"] = "<&>";
        state.Annotations[""] = "";
        state.Annotations["\"\\\0\u001f\u007f\u2028"] = "\t\ud83d\ude00";
        ContainerState.Parse(state.ToJson(), "web").Should().BeEquivalentTo(state);
    }

    [Test]
    public void Round_trip_keeps_absence()
    {
        ContainerState state = TemporaryRoot.NewState("x");
        ContainerState read = ContainerState.Parse(state.ToJson(), "x");
        read.Should().BeEquivalentTo(state);
        read.CgroupsCreated.Should().BeNull("null and empty mean different things here");
    }

    [Test]
    public void A_newer_writer_may_add_fields()
    {
        const string Json =
            """{"future":{"a":[1,{"b":null}]},"version":1,"id":"x","more":[[]],"phase":"created","hooks":{"prepause":[{}]},"pid":3}""";
        ContainerState.Parse(Encoding.UTF8.GetBytes(Json), "x").Init.Pid.Should().Be(3);
    }

    [TestCase("""{"version":2,"id":"x"}""", "*version 2*newer*", Errno.EOPNOTSUPP)]
    [TestCase("""{"id":"x"}""", "*no version*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"y"}""", "*container \"y\"*", Errno.EPROTO)]
    [TestCase("", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("[]", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","pid":"3"}""", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","pid":99999999999}""", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","phase":"paused"}""", "*phase \"paused\"*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","cgroupDirectories":{}}""", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","cgroupDirectories":[[]]}""", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x","hooks":{"poststop":[3]}}""", "state of container x cannot be read:*", Errno.EPROTO)]
    [TestCase("""{"version":1,"id":"x" """, "state of container x cannot be read:*", Errno.EPROTO)]
    public void What_it_cannot_read_it_names(string json, string message, int errno) =>
        FluentActions.Invoking(() => ContainerState.Parse(Encoding.UTF8.GetBytes(json), "x"))
            .Should().Throw<OciException>().WithMessage(message).Which.Errno.Should().Be(errno);

    [Test]
    public void Every_truncation_is_an_expected_error()
    {
        ContainerState state = TemporaryRoot.NewState("x");
        state.Annotations["a"] = "b";
        state.Poststop = [Hook("/b", ["b"], ["A=B"], 1)];
        byte[] json = state.ToJson().ToArray();
        for (int length = 0; length < json.Length; length++)
        {
            byte[] part = json[..length];
            FluentActions.Invoking(() => ContainerState.Parse(part, "x")).Should().Throw<OciException>();
        }
    }

    [TestCase("2026-01-02T03:04:05.1234567Z", "2026-01-02T03:04:05.1234567Z")]
    [TestCase("2026-01-02T03:04:05.1200000Z", "2026-01-02T03:04:05.12Z")]
    [TestCase("2026-01-02T03:04:05.0000000Z", "2026-01-02T03:04:05Z")]
    public void Times_are_written_as_Go_writes_them(string time, string expected) =>
        Timestamp.Format(DateTime.Parse(time, null, System.Globalization.DateTimeStyles.RoundtripKind)).Should().Be(expected);

    [Test]
    public void Hooks_get_what_the_specification_promises()
    {
        ContainerState state = TemporaryRoot.NewState("x");
        state.Init = new ProcessIdentity(17, 1);
        JsonDocument.Parse(StateDocument.ForHooks(state, ContainerStatus.Created).ToArray()).RootElement.ToString()
            .Should().Be("""{"ociVersion":"1.3.0","id":"x","status":"created","pid":17,"bundle":"/bundles/x"}""");
        JsonDocument.Parse(StateDocument.ForHooks(state, ContainerStatus.Stopped).ToArray()).RootElement.ToString()
            .Should().Be("""{"ociVersion":"1.3.0","id":"x","status":"stopped","bundle":"/bundles/x"}""");
    }

    private static Hook Hook(string path, string[] args, string[] env, int? timeout) =>
        new() { Path = path, Args = args, Env = env, Timeout = timeout };
}
