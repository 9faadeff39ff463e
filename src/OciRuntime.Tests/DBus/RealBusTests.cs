using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.DBus;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.DBus;

/// <summary>The client on a bus of its own, dbus-daemon's, and what it sends as systemd's busctl reads it.</summary>
public sealed class RealBusTests
{
    private string _directory = "";
    private RunningCommand? _daemon;

    private BusAddress Address => new("test bus", $"unix:path={_directory}/bus");

    [OneTimeSetUp]
    public void Start()
    {
        _directory = TestRun.NewDirectory("dbus");
        File.WriteAllText($"{_directory}/conf", $"""
            <busconfig>
              <type>session</type>
              <listen>unix:path={_directory}/bus</listen>
              <auth>EXTERNAL</auth>
              <policy context="default"><allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/></policy>
            </busconfig>
            """);
        _daemon = Command.Start(Requires.Tool("dbus-daemon"), ["--nofork", $"--config-file={_directory}/conf"]);
        Eventually.True(Listens, "the bus listens");
    }

    /// <summary>The socket's file is there a moment before anybody can connect to it.</summary>
    private bool Listens()
    {
        try
        {
            BusConnection.Open(Address, 10).Dispose();
            return true;
        }
        catch (OciException)
        {
            return false;
        }
    }

    [OneTimeTearDown]
    public void Stop()
    {
        _daemon?.Signal(15);
        _daemon?.Wait();
        _daemon?.Dispose();
        Cleaner.DeleteTree(_directory);
    }

    [Test]
    public void Answers_are_read()
    {
        using BusConnection connection = BusConnection.Open(Address, 10);
        BusMessage id = connection.Call(new BusCall("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"));
        connection.Read(() => id.Arguments("s").String(), "GetId").Should().HaveLength(32);
        BusMessage user =
            connection.Call(new BusCall("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetConnectionUnixUser",
            "s").With("org.freedesktop.DBus"));
        connection.Read(() => user.Arguments("u").UInt32(), "GetConnectionUnixUser").Should().Be(0);
        BusMessage features =
            connection.Call(new BusCall("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.Properties", "GetAll",
            "s").With("org.freedesktop.DBus"));
        connection.Read(() =>
        {
            BusReader r = features.Arguments("a{sv}");
            r.Skip("a{sv}");
            return r.AtEnd;
        }, "GetAll").Should().BeTrue();
        BusMessage error = connection.Call(new BusCall("org.example.Nobody", "/", "org.example", "Ask"));
        connection.Refused(error, "Ask").Message.Should()
            .StartWith("Ask on the test bus (unix:path=").And.EndWith("(org.freedesktop.DBus.Error.ServiceUnknown)");
    }

    [Test]
    public void Signals_arrive_by_their_match()
    {
        using BusConnection listener = BusConnection.Open(Address, 10), other = BusConnection.Open(Address, 10);
        listener.AddMatch("type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='org.example.Name'");
        BusCall request = new("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "RequestName", "su");
        request.Body.String("org.example.Name");
        request.Body.UInt32(0);
        other.Call(request).Type.Should().Be(BusMessageType.Return);
        BusMessage signal;
        do signal = listener.NextSignal("RequestName");
        while (signal.Member == "NameAcquired");
        (signal.Member, signal.Sender, signal.Signature).Should().Be(("NameOwnerChanged", "org.freedesktop.DBus", "sss"));
        Action bad = () => listener.AddMatch("nonsense");
        bad.Should().Throw<OciException>().WithMessage("AddMatch on the test bus*MatchRuleInvalid)");
    }

    /// <summary>Every type a property can have, marshalled here and read by sd-bus.</summary>
    [Test]
    public void What_is_sent_is_what_busctl_reads()
    {
        (string Text, string Json)[] values =
        [
            ("true", """{"type":"b","data":true}"""), ("byte 200", """{"type":"y","data":200}"""),
            ("int16 -3", """{"type":"n","data":-3}"""), ("uint16 65535", """{"type":"q","data":65535}"""),
            ("-7", """{"type":"i","data":-7}"""), ("uint32 4000000000", """{"type":"u","data":4000000000}"""),
            ("int64 -5000000000", """{"type":"x","data":-5000000000}"""),
            ("uint64 18446744073709551615", """{"type":"t","data":18446744073709551615}"""),
            ("1.5", """{"type":"d","data":1.500000000000000000000e+00}"""),
            ("'tä\"xt'", """{"type":"s","data":"tä\"xt"}"""), ("objectpath '/a/b'", """{"type":"o","data":"/a/b"}"""),
            ("signature 'a(st)'", """{"type":"g","data":"a(st)"}"""),
            ("['a', '']", """{"type":"as","data":["a",""]}"""), ("@at []", """{"type":"at","data":[]}"""),
            ("@a(ss) []", """{"type":"a(ss)","data":[]}"""),
            ("[('/dev/null', 'rw'), ('/dev/char/1:3', 'm')]", """{"type":"a(ss)","data":[["/dev/null","rw"],["/dev/char/1:3","m"]]}"""),
            ("@a(sat) [('x', [1, 2]), ('', [])]", """{"type":"a(sat)","data":[["x",[1,2]],["",[]]]}"""),
            ("(byte 1, uint64 2, 'z')", """{"type":"(yts)","data":[1,2,"z"]}"""),
            ("@ay [1, 0, 255]", """{"type":"ay","data":[1,0,255]}"""), ("[[uint16 1], []]", """{"type":"aaq","data":[[1],[]]}"""),
            ("false", """{"type":"b","data":false}"""),
        ];
        List<UnitProperty> properties = [];
        foreach ((string text, _) in values)
        {
            SpecMap<string> annotations = new();
            annotations.Set($"org.systemd.property.Property{new string('X', properties.Count)}", text);
            SystemdProperty read = SystemdProperty.Read(annotations, new SpecProblems())[0];
            properties.Add(new UnitProperty(read.Name, read.Value));
        }
        string member = $"Call{TestRun.NextNumber()}";
        using RunningCommand monitor = Command.Start(Requires.Tool("busctl"), [$"--address={Address.Text}", "monitor", "--json=short"]);
        using BusConnection connection = BusConnection.Open(Address, 20);
        // Until the monitor sees them.
        Eventually.True(() =>
        {
            BusCall call = new("org.example.Nobody", "/a", "org.example", member, "sa(sv)b");
            call.Body.String("name");
            UnitProperty.Write(call.Body, properties);
            call.Body.UInt32(1);
            connection.Call(call).Type.Should().Be(BusMessageType.Error);
            return monitor.Stdout.Contains($"\"{member}\"") && monitor.Stdout.EndsWith('\n');
        }, "busctl shows the call");
        monitor.Signal(15);
        string line = monitor.Wait().Stdout.Split('\n').First(l => l.Contains($"\"{member}\""));
        JsonNode payload = JsonNode.Parse(line)!["payload"]!;
        payload["type"]!.GetValue<string>().Should().Be("sa(sv)b");
        string expected = string.Join(',', values.Select((v, i) => $"""["Property{new string('X', i)}",{v.Json}]"""));
        payload["data"]!.ToJsonString().Should().Be(JsonNode.Parse($"""["name",[{expected}],true]""")!.ToJsonString());
    }
}
