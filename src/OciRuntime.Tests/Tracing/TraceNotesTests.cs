using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Seccomp;
using OciRuntime.Tests.Plan;

namespace OciRuntime.Tests.Tracing;

/// <summary>What the parent believes of notes in memory that others can have written to; none of which is there without --trace.</summary>
public sealed unsafe class TraceNotesTests
{
    private const int Capacity = 8;
    private const long Since = 1000, Now = 2000;

    private TraceHeader* _notes;

    [SetUp]
    public void SetUp() => _notes = Trace.Allocate(Capacity, isShared: true);

    [Test]
    public void An_honest_process_is_taken_at_its_word()
    {
        Add(new() { What = 1, Start = 1100, End = 1300, Calls = 3, CallTime = 150 });
        Add(new() { What = ~SyscallNumber.Getpid, Start = 1150, End = 1200, Errno = Errno.ENOENT });
        Add(new() { What = 2, Start = 1300, Calls = -3, CallTime = -150 });
        (_notes->Calls, _notes->CallTime) = (5, 250);
        TraceEvent[] events = Read(end: 1900, lost: 0);
        events[0].Should().BeEquivalentTo(new TraceEvent(7, TraceKind.Step, "step 1\\n", 1100, 200)
        {
            Number = 2,
            Pointer = "/p/1",
            More = ["more"],
            Calls = 3,
            CallTime = 150,
        });
        events[1].Should().BeEquivalentTo(new TraceEvent(7, TraceKind.Call, "getpid", 1150, 50) { Errno = "ENOENT" });
        events[2].Should().BeEquivalentTo(new { Name = "step 2\\n", End = 1900L, Calls = 2L, CallTime = 100L }, "it was seen to end then");
    }

    [TestCase(2, 1100, 1050, TestName = "Ends before it begins")]
    [TestCase(2, 999, 1100, TestName = "Begins before the process")]
    [TestCase(2, 1100, 2001, TestName = "Ends after now")]
    [TestCase(2, 2001, 0, TestName = "Begins after now")]
    [TestCase(2, long.MinValue, long.MaxValue, TestName = "Longer than a long")]
    [TestCase(3, 1100, 1200, TestName = "No such step")]
    [TestCase(int.MaxValue, 1100, 1200, TestName = "No such step by far")]
    public void What_cannot_be_true_is_lost(int what, long start, long end)
    {
        Add(new() { What = what, Start = start, End = end });
        Read(end: 0, lost: 1).Should().BeEmpty();
    }

    [Test]
    public void Numbers_are_bounded()
    {
        Add(new() { What = ~int.MaxValue, Start = 1100, End = 1200, Errno = int.MinValue, Calls = long.MinValue });
        Add(new() { What = 0, Start = 1100, End = 1200, Calls = long.MinValue, CallTime = long.MaxValue });
        Read(end: 0, lost: 0).Should().SatisfyRespectively(
            static call => call.Name.Should().Be($"system call {int.MaxValue}"),
            static step => (step.Calls, step.CallTime).Should().Be((0, 100)));
    }

    [TestCase(int.MinValue, 0)]
    [TestCase(-1, 0)]
    [TestCase(Capacity + 1, Capacity)]
    [TestCase(int.MaxValue, Capacity)]
    public void No_more_is_read_than_there_is_room_for(int count, int read)
    {
        (_notes->Count, _notes->Capacity, _notes->Lost) = (count, int.MaxValue, long.MinValue);
        // Entries of nothing but zeroes are older than the process.
        Read(end: 0, lost: read).Should().BeEmpty();
    }

    /// <summary>Nothing is set aside, and nobody asks for the time.</summary>
    [Test]
    public void Without_the_option_there_are_none()
    {
        (Timeline.IsOn, Trace.IsOn, Trace.Begin(0)).Should().Be((false, false, -1));
        Timeline.Phase("something");
        Timeline.Span("something").Should().Be(default(TraceSpan));
        InheritedDescriptors descriptors = new();
        (PlanCompiler.Compile(Plans.Default(), descriptors).Native->Trace is null).Should().BeTrue();
    }

    private void Add(TraceEntry entry) => ((TraceEntry*)(_notes + 1))[_notes->Count++] = entry;

    private TraceEvent[] Read(long end, long lost)
    {
        TraceNotes notes = new(7, _notes, Capacity, Since)
        {
            Kind = TraceKind.Step,
            Words = static step => step < 3 ? [($"step {step}\n", $"/p/{step}"), ("more", "")] : null,
            End = end,
        };
        TraceEvent[] events = [.. notes.Read(Now, SyscallTable.NameOf, out long nothing)];
        nothing.Should().Be(lost);
        return events;
    }
}
