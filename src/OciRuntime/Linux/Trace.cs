using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>Something that took time, as the process that did it has noted it.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceEntry
{
    /// <summary>A part of the work by its number; of a system call the complement of the number.</summary>
    public int What;

    /// <summary>With which it failed, or 0.</summary>
    public int Errno;

    /// <summary>Nanoseconds of CLOCK_MONOTONIC, which all processes share; the end is 0 while it lasts.</summary>
    public long Start, End;

    /// <summary>How many system calls were made meanwhile, and the nanoseconds they took.</summary>
    public long Calls, CallTime;
}

/// <summary>The beginning of the memory in which a process notes what it does; room for entries follows.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct TraceHeader
{
    public int Capacity, Count;

    /// <summary>Entries for which there was no room.</summary>
    public long Lost;

    /// <summary>Of all system calls so far.</summary>
    public long Calls, CallTime;
}

/// <summary>
/// Where this process notes what it does, for --trace: in memory that was set aside before, by two looks at the clock, which take no system
/// call on nearly every machine. So init does it, too, and everybody who makes system calls through <see cref="Kernel"/>. What it means is
/// the parent's business, <see cref="Timeline"/>.
/// </summary>
internal static unsafe class Trace
{
    /// <summary>Shorter system calls are counted and added up, but get no entry.</summary>
    public const long NotableNanoseconds = 50_000;

    // The only thread of the program's own sets it before it clones; the clone finds a copy of it, and changes that.
    private static TraceHeader* s_notes;

    /// <summary>False, and all of this is one look at one field, in every command without --trace.</summary>
    public static bool IsOn => s_notes is not null;

    /// <summary>Memory for notes.</summary>
    /// <param name="capacity">How many entries it has room for.</param>
    /// <param name="isShared">A clone notes in it what this process is to read.</param>
    public static TraceHeader* Allocate(int capacity, bool isShared)
    {
        TraceHeader* notes = (TraceHeader*)Processes.MapMemory(sizeof(TraceHeader) + capacity * sizeof(TraceEntry), isShared);
        notes->Capacity = capacity;
        return notes;
    }

    /// <summary>From here on this process notes there; null: nowhere.</summary>
    public static void NoteIn(TraceHeader* notes) => s_notes = notes;

    /// <summary>For the clones of a process that notes: they would do it in its place.</summary>
    public static void Stop()
    {
        if (IsOn) s_notes = null;
    }

    /// <summary>Nanoseconds since some moment.</summary>
    public static long Now()
    {
        TimeSpec now = default;
        // Without a system call, wherever the kernel offers that (vdso(7)); elsewhere as in Processes.Milliseconds.
        return ClockGetTime(Processes.CLOCK_MONOTONIC, &now) == 0 ? now.Seconds * 1_000_000_000 + now.Nanoseconds : 0;
    }

    /// <summary>Notes that something begins. Returns the number of its entry, or -1 when there is none.</summary>
    public static int Begin(int what)
    {
        TraceHeader* notes = s_notes;
        if (notes is null) return -1;
        int entry = Add(notes);
        if (entry >= 0)
        {
            // What was counted until now is not its own; see End.
            EntriesOf(notes)[entry] = new() { What = what, Start = Now(), Calls = -notes->Calls, CallTime = -notes->CallTime };
        }
        return entry;
    }

    /// <summary>Notes that it has ended.</summary>
    /// <param name="entry">What <see cref="Begin"/> returned.</param>
    /// <param name="result">A negated errno when it has failed.</param>
    public static void End(int entry, long result = 0)
    {
        TraceHeader* notes = s_notes;
        if (entry < 0 || notes is null) return;
        TraceEntry* noted = EntriesOf(notes) + entry;
        noted->End = Now();
        noted->Errno = result < 0 ? (int)-result : 0;
        noted->Calls += notes->Calls;
        noted->CallTime += notes->CallTime;
    }

    /// <summary>Notes a system call that has returned.</summary>
    public static void Call(nint number, long began, long result)
    {
        TraceHeader* notes = s_notes;
        // Whoever has cloned notes it; not the clone.
        if (notes is null || (result == 0 && number is SyscallNumber.Clone or SyscallNumber.Clone3)) return;
        long now = Now();
        notes->Calls++;
        notes->CallTime += now - began;
        if (now - began < NotableNanoseconds) return;
        int entry = Add(notes);
        if (entry < 0) return;
        EntriesOf(notes)[entry] = new() { What = ~(int)number, Start = began, End = now, Errno = result < 0 ? (int)-result : 0 };
    }

    private static TraceEntry* EntriesOf(TraceHeader* notes) => (TraceEntry*)(notes + 1);

    private static int Add(TraceHeader* notes)
    {
        if (notes->Count < notes->Capacity) return notes->Count++;
        notes->Lost++;
        return -1;
    }

    [DllImport("libc", EntryPoint = "clock_gettime"), SuppressGCTransition]
    private static extern int ClockGetTime(int clock, TimeSpec* now);
}
