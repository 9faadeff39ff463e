using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.DBus;
using OciRuntime.Linux;

namespace OciRuntime.Tests.DBus;

/// <summary>
/// The D-Bus client against a bus that is dead, slow or lies: always an error that says which bus and what was asked, in time.
/// </summary>
public sealed class BusTests
{
    private const string Ok = "DATA\r\nOK 0\r\n";

    private static readonly BusCall Question = new("org.example", "/", "org.example", "Ask");

    // What the bus sends as soon as somebody connects, and what the error says.
    private static readonly TestCaseData[] Lies =
    [
        new TestCaseData(Bytes(""), "closed the connection instead of answering AUTH").SetArgDisplayNames("nothing"),
        new TestCaseData(Bytes("REJECTED EXTERNAL\r\n"), "refuses uid ").SetArgDisplayNames("rejected"),
        new TestCaseData(Bytes("HTTP/1.1 400 Bad\u0007 Request\r\n"),
            "answers AUTH with \"HTTP/1.1 400 Bad\\x07 Request\"").SetArgDisplayNames("http"),
        new TestCaseData(Bytes(new string('x', 5000)), "answers AUTH with a line without end").SetArgDisplayNames("endless line"),
        new TestCaseData(Bytes(Ok), "closed the connection instead of answering Hello").SetArgDisplayNames("no answer to Hello"),
        new TestCaseData(Bytes(Ok + "this is no message at all"),
            "answers Hello with something that is no message").SetArgDisplayNames("text"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0, fields: uint.MaxValue)),
            "answers Hello with a message of more than 1048576 bytes").SetArgDisplayNames("header too long"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0xfffffff0, fields: 0)),
            "answers Hello with a message of more than 1048576 bytes").SetArgDisplayNames("body too long"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0, fields: 5, [1, 1, (byte)'o', 0, 9])),
            "answers Hello with a value that goes beyond the end").SetArgDisplayNames("field cut off"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0, fields: 8, [5, 1, (byte)'s', 0, 1, 0, 0, 0])),
            "answers Hello with a header with \"s\" in field 5").SetArgDisplayNames("field of another type"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0, fields: 208, [99, 200, .. Enumerable.Repeat((byte)'(', 200), 0, 0, 0, 0, 0, 0])),
            "answers Hello with ").SetArgDisplayNames("deep structure"),
        new TestCaseData(Bytes(Ok, Fixed(body: 0, fields: 208, [99, 200, .. Enumerable.Repeat((byte)'a', 200), 0, 0, 0, 0, 0, 0])),
            "answers Hello with ").SetArgDisplayNames("deep array"),
        new TestCaseData(Bytes(Ok,
            Fixed(body: 0, fields: 402, [99, .. Enumerable.Repeat<byte[]>([1, (byte)'v', 0], 133).SelectMany(b => b), 0, 0])),
            "answers Hello with ").SetArgDisplayNames("deep variant"),
        new TestCaseData(Bytes(Ok, FakeBus.Error(1, "org.example.No", "not\nyou")), "Hello on the fake bus").SetArgDisplayNames("error"),
    ];

    [TestCaseSource(nameof(Lies))]
    public void A_lie_becomes_an_error(byte[] lie, string error)
    {
        using FakeBus bus = new(connection =>
        {
            connection.Send(lie);
            connection.Shutdown(SocketShutdown.Send);
            while (connection.Receive(new byte[100]) > 0) { }
        });
        Action open = () => BusConnection.Open(bus.Address, 5).Dispose();
        open.Should().Throw<OciException>().Which.Message.Should().Contain("fake bus (unix:path=").And.Contain(error).And.NotContain("\n");
    }

    [Test]
    public void Silence_ends([Values("", Ok)] string begin)
    {
        using FakeBus bus = new(connection =>
        {
            connection.Send(Encoding.ASCII.GetBytes(begin));
            while (connection.Receive(new byte[100]) > 0) { }
        });
        Stopwatch time = Stopwatch.StartNew();
        Action open = () => BusConnection.Open(bus.Address, 1).Dispose();
        open.Should().Throw<OciException>()
            .WithMessage($"the fake bus (*) does not answer: {(begin.Length == 0 ? "AUTH" : "Hello")} took more than 1 s");
        time.Elapsed.TotalSeconds.Should().BeInRange(0.9, 5);
    }

    /// <summary>Talk without end does not put the deadline off.</summary>
    [Test]
    public void Endless_talk_ends([Values] bool slow)
    {
        using FakeBus bus = new(connection =>
        {
            FakeBus.Welcome(connection);
            byte[] talk = FakeBus.JobRemoved("/j", "done");
            for (int i = 0; ; i++)
            {
                // Slow: a byte now and then.
                if (slow) Thread.Sleep(50);
                connection.Send(slow ? talk.AsSpan(i % talk.Length, 1) : talk);
            }
        });
        Action open = () => BusConnection.Open(bus.Address, 1).Dispose();
        open.Should().Throw<OciException>().WithMessage("*does not answer: Hello took more than 1 s");
    }

    [Test]
    public void A_bus_that_does_not_read_is_given_up()
    {
        using ManualResetEventSlim over = new();
        using FakeBus bus = new(connection =>
        {
            connection.Send(Encoding.ASCII.GetBytes(Ok));
            connection.Send(FakeBus.Return(1, "s", w => w.String(":1.1")));
            over.Wait();
        });
        using BusConnection connection = BusConnection.Open(bus.Address, 1);
        BusCall call = new("org.example", "/", "org.example", "Ask", "s");
        call.Body.String(new string('x', 10_000_000));
        Action ask = () => connection.Call(call);
        try
        {
            ask.Should().Throw<OciException>().WithMessage("*does not answer: Ask took more than 1 s");
        }
        finally
        {
            over.Set();
        }
    }

    [Test]
    public void Nobody_there()
    {
        Action open = () => BusConnection.Open(new BusAddress("fake bus", "unix:path=/nonexistent;unix:abstract=ocirun-nobody"), 1);
        open.Should().Throw<OciException>()
            .WithMessage(
            "connect to the fake bus (*): connection refused (ECONNREFUSED): is systemd running here? --cgroup-manager cgroupfs does "
            + "without it");
    }

    [Test]
    public void The_second_address_is_tried()
    {
        using FakeBus bus = FakeBus.Honest((_, serial) => [FakeBus.Return(serial)]);
        BusConnection.Open(new BusAddress("fake bus", "tcp:host=localhost,port=1;unix:path=/nonexistent;" + bus.Address.Text), 5).Dispose();
    }

    [Test]
    public void The_answer_is_told_from_other_messages()
    {
        using FakeBus bus = FakeBus.Honest((_, serial) =>
            [FakeBus.Return(serial + 1, "s", w => w.String("for another")), FakeBus.JobRemoved("/j", "done"),
            [.. FakeBus.Message(99, 0, "", null, "x")], FakeBus.Return(serial, "s", w => w.String("yes"))]);
        using BusConnection connection = BusConnection.Open(bus.Address, 5);
        BusMessage answer = connection.Call(Question);
        connection.Read(() => answer.Arguments("s").String(), "Ask").Should().Be("yes");
        connection.NextSignal("Ask").Member.Should().Be("JobRemoved", "it waited");
        Action wrong = () => connection.Read(() => answer.Arguments("o").String(), "Ask");
        wrong.Should().Throw<OciException>().WithMessage("the fake bus (*) answers Ask with arguments \"s\" where \"o\" belong");
    }

    [TestCase("unix:path=/a", "/a")]
    [TestCase("unix:path=/a%2fb%20c,guid=00", "/a/b c")]
    [TestCase("unix:guid=00,path=/%c3%a4", "/ä")]
    [TestCase("unix:abstract=/tmp/x", "@/tmp/x")]
    [TestCase("unix:tmpdir=/tmp;unix:path=/a;tcp:host=x;unix:abstract=b", "/a|@b")]
    public void Addresses(string text, string sockets) => new BusAddress("bus", text).SocketNames().Should().Equal(sockets.Split('|'));

    [TestCase("")]
    [TestCase(";;")]
    [TestCase("unix")]
    [TestCase(":path=/a")]
    [TestCase("unix:path")]
    [TestCase("unix:=x")]
    [TestCase("unix:path=a")]
    [TestCase("unix:path=/a%2")]
    [TestCase("unix:path=/a%zz")]
    [TestCase("unix:path=/a%00b")]
    [TestCase("unix:abstract=")]
    [TestCase("tcp:host=localhost")]
    public void Bad_addresses(string text)
    {
        Action read = () => new BusAddress("bus", text).SocketNames();
        read.Should().Throw<OciException>().Which.Message.Should().StartWith("bus");
    }

    /// <summary>The specification's own example of a string and a number, and an array of structures, both ways round.</summary>
    [Test]
    public void Big_endian_is_read()
    {
        byte[] bytes = [0, 0, 0, 3, (byte)'f', (byte)'o', (byte)'o', 0, 0, 0, 0, 43, 0, 0, 0, 9, 0, 0, 0, 5, (byte)'x', 0, 0, 0, 1, 0, 0];
        BusReader r = new(bytes.AsSpan(0, 12), bigEndian: true);
        r.String().Should().Be("foo");
        r.UInt32().Should().Be(43);
        r.AtEnd.Should().BeTrue();
        byte[] message =
        [
            (byte)'B', 3, 0, 1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 31,
            5, 1, (byte)'u', 0, 0, 0, 0, 9,
            4, 1, (byte)'s', 0, 0, 0, 0, 3, (byte)'a', (byte)'.', (byte)'b', 0, 0, 0, 0, 0,
            8, 1, (byte)'g', 0, 1, (byte)'s', 0, 0,
            0, 0, 0, 3, (byte)'f', (byte)'o', (byte)'o', 0,
        ];
        BusMessage.SizeOf(message.AsSpan(0, 16)).Should().Be(message.Length);
        BusMessage parsed = BusMessage.Parse(message);
        (parsed.Type, parsed.ReplySerial, parsed.ErrorName, parsed.Signature, parsed.ErrorText).Should()
            .Be((BusMessageType.Error, 9u, "a.b", "s", "foo"));
    }

    /// <summary>Whatever is changed in a message: it is read, or refused with the one exception that callers expect.</summary>
    [Test]
    public void Damaged_messages_never_break_the_reader()
    {
        byte[][] messages = [FakeBus.JobRemoved("/org/freedesktop/systemd1/job/1", "done"), FakeBus.Error(3, "org.example.Error", "words"),
            FakeBus.Return(4, "v", w => { w.Signature("s"); w.String("/x"); })];
        Random random = new(11);
        int read = 0;
        for (int i = 0; i < 60_000; i++)
        {
            byte[] bytes = [.. messages[i % messages.Length]];
            for (int n = 0; n <= i % 4; n++)
                bytes[random.Next(bytes.Length)] = (byte)(random.Next(3) == 0 ? random.Next(256) : "(a{vs}gy\0l\u0008"[random.Next(10)]);
            try
            {
                if (BusMessage.SizeOf(bytes.AsSpan(0, BusMessage.FixedSize)) != bytes.Length) continue;
                BusMessage message = BusMessage.Parse(bytes);
                _ = message.ErrorText;
                message.Arguments(message.Signature).Skip(message.Signature);
                read++;
            }
            catch (FormatException)
            {
            }
        }
        read.Should().BePositive();
    }

    private static byte[] Fixed(uint body, uint fields, byte[]? rest = null)
    {
        BusWriter w = new();
        foreach (byte b in (byte[])[(byte)'l', 2, 1, 1]) w.Byte(b);
        w.UInt32(body);
        w.UInt32(1);
        w.UInt32(fields);
        w.Raw(rest ?? []);
        w.Align(8);
        return w.Written.ToArray();
    }

    private static byte[] Bytes(string text, byte[]? rest = null) => [.. Encoding.Latin1.GetBytes(text), .. rest ?? []];
}
