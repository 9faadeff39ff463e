using System.Text;
using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Tracing;

namespace OciRuntime.Tests.Tracing;

/// <summary>The file of --trace: what is written is read, and what is something else is refused with a word.</summary>
public sealed class TraceDocumentTests
{
    [Test]
    public void What_is_written_is_read()
    {
        TraceDocument read = TraceDocument.Parse(Example().ToJson());
        (read.Version, read.Command, read.Container, read.Lost).Should().Be(("1", "run", "c", 3));
        read.Names.Should().BeEquivalentTo(new Dictionary<int, string> { [5] = "ocirun", [6] = "init" });
        read.Events.Should().BeEquivalentTo(Example().Events.Select(static e => e with { Start = e.Start - 1_000_000 }),
            static o => o.WithStrictOrdering());
    }

    [Test]
    public void It_is_what_trace_viewers_expect()
    {
        JsonNode[] events = [.. JsonNode.Parse(Example().ToJson())!["traceEvents"]!.AsArray()!];
        events[0].ToJsonString().Should().Be("""{"name":"process_name","ph":"M","pid":5,"args":{"name":"ocirun"}}""");
        events[3].ToJsonString().Should().Be(
            """{"name":"mount proc on /proc","cat":"step","ph":"X","ts":2000.5,"dur":300,"pid":6,"tid":6,"args":"""
            + """{"number":4,"pointer":"/mounts/0","errno":"EPERM","calls":12,"callTime":250}}""");
        events[5].ToJsonString().Should().Be(
            """{"name":"it failed","cat":"failure","ph":"i","ts":4000,"s":"g","pid":5,"tid":5,"args":{}}""");
    }

    [TestCase("", "it is empty: the command that was to write it was killed, or is not done yet")]
    [TestCase("garbage", "it is no JSON from line 1 on")]
    [TestCase("{\"traceEvents\":[\n{\"ph\":", "it is no JSON from line 2 on")]
    [TestCase("[]", "\"document\" is no object")]
    [TestCase("{}", "it has no list \"traceEvents\"")]
    [TestCase("{\"traceEvents\":{}}", "\"traceEvents\" is no list")]
    [TestCase("{\"traceEvents\":[7]}", "an event is no object")]
    [TestCase("{\"traceEvents\":[]} []", "it is no JSON from line 1 on")]
    [TestCase("{\"traceEvents\":[{\"name\":7}]}", "\"name\" is no text")]
    [TestCase("{\"traceEvents\":[{\"name\":\"\\ud800\"}]}", "a text in it is no Unicode")]
    [TestCase("{\"traceEvents\":[{\"ts\":-1}]}", "\"ts\" is out of range")]
    [TestCase("{\"traceEvents\":[{\"dur\":1e999}]}", "\"dur\" is out of range")]
    [TestCase("{\"traceEvents\":[{\"pid\":4294967296}]}", "\"pid\" is out of range")]
    [TestCase("{\"otherData\":[],\"traceEvents\":[]}", "\"otherData\" is no object")]
    public void What_is_something_else_is_refused(string text, string reason) =>
        FluentActions.Invoking(() => TraceDocument.Parse(Encoding.UTF8.GetBytes(text)))
        .Should().Throw<FormatException>().WithMessage(reason);

    [Test]
    public void Whatever_the_file_has_it_is_shown_or_refused()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        Random random = new(seed);
        byte[] whole = Example().ToJson().ToArray();
        int shown = 0;
        for (int i = 0; i < 20_000; i++)
        {
            byte[] broken = [.. whole];
            for (int n = random.Next(1, 4); n > 0; n--) broken[random.Next(broken.Length)] = (byte)random.Next(256);
            try
            {
                int length = i % 4 < 2 ? random.Next(broken.Length + 1) : broken.Length;
                TraceText.Print(TraceDocument.Parse(broken.AsSpan(0, length)), largest: i % 2 == 0);
                shown++;
            }
            catch (FormatException)
            {
                // Its words are those of the cases above.
            }
        }
        shown.Should().BeInRange(1, 19_999);
    }

    [Test]
    public void Text_is_a_line_for_each_event_by_its_beginning()
    {
        TraceText.Print(Example(0), largest: false).Should().Be(
            """
            ocirun 1: run c, 4.000 ms; of 3 events nothing is known

                begin      took calls   in them
                0.000     4.000                  ##############################  ocirun  answer init
                2.001     0.300    12     0.250                 ===              init    4. mount proc on /proc: EPERM  /mounts/0
                3.000     1.000                                        ########  ocirun    ppoll()
                4.000                                                         !  ocirun  it failed

            """);
    }

    /// <summary>The call is a quarter of what it was made in.</summary>
    [Test]
    public void Largest_first_is_by_what_each_took_itself()
    {
        string[] lines = TraceText.Print(Example(0), largest: true).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines[2..].Select(static line => $"{line[..19].Trim()} {line[77..]}").Should().Equal(
            "0.000     3.000 answer init", "3.000     1.000 ppoll()", "2.001     0.300 4. mount proc on /proc: EPERM  /mounts/0",
            "4.000 it failed");
    }

    private static TraceDocument Example(long first = 1_000_000) => new()
    {
        Version = "1",
        Command = "run",
        Container = "c",
        Lost = 3,
        Names = { [5] = "ocirun", [6] = "init" },
        Events =
        [
            new(5, TraceKind.Work, "answer init", first, 4_000_000),
            new(6, TraceKind.Step, "mount proc on /proc", first + 2_000_500, 300_000)
            {
                Number = 4, Pointer = "/mounts/0", Errno = "EPERM", Calls = 12, CallTime = 250_000,
            },
            new(5, TraceKind.Call, "ppoll", first + 3_000_000, 1_000_000),
            new(5, TraceKind.Failure, "it failed", first + 4_000_000, 0),
        ],
    };
}
