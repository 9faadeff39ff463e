using System.Buffers.Binary;
using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>What a file of settings holds.</summary>
/// <param name="Value">Without the last line end.</param>
/// <param name="Error">A negated errno where it cannot be read; else 0.</param>
internal readonly record struct Setting(string Value, long Error);

/// <summary>Settings of the kernel as a process in another's namespaces reads them.</summary>
internal static unsafe class InsideSettings
{
    // Nothing of this waits; but a container that shares the pid namespace may stop what has its ids.
    private const int Milliseconds = 5000, MaxAnswers = 1 << 20;

    /// <summary>Reads them by a process of its own, as nobody comes back from a user namespace.</summary>
    /// <param name="process">pidfd of the other process.</param>
    /// <param name="namespaces">CLONE_NEW… flags of its namespaces that are not the caller's.</param>
    /// <param name="paths">Absolute paths of files in procfs.</param>
    /// <exception cref="OciException">The namespaces cannot be entered, or the reader does not come to its end.</exception>
    public static Setting[] Read(int process, ulong namespaces, string[] paths)
    {
        using Pipe pipe = new();
        NativeArena arena = new();
        SettingPlan plan = new() { Process = process, Namespaces = namespaces, Paths = Texts(arena, paths), Answers = pipe.Writer.Number };
        long pid = Processes.Clone(0, out int number);
        if (pid == 0) SettingReader.Run(&plan);
        if (pid < 0) arena.Free();
        OciException.Check(pid, "clone");
        using Fd reader = new(number);
        pipe.Writer.Dispose();
        try
        {
            ReadOnlySpan<byte> answers = ToEnd(pipe.Reader.Number);
            OciException.Check(Next(ref answers), "enter the container's namespaces for a moment");
            Setting[] values = new Setting[paths.Length];
            for (int i = 0; i < values.Length; i++) values[i] = Value(ref answers);
            return values;
        }
        finally
        {
            // ESRCH where it has ended. It is nobody else's child.
            Processes.PidFdSendSignal(number, Processes.SIGKILL);
            Processes.Reap((int)pid, out _);
            arena.Free();
        }
    }

    private static NativeArray<NativeText> Texts(NativeArena arena, string[] texts)
    {
        NativeText* array = arena.Array<NativeText>(texts.Length);
        for (int i = 0; i < texts.Length; i++) array[i] = new(arena.Text(texts[i]));
        return new(array, texts.Length);
    }

    private static ReadOnlySpan<byte> ToEnd(int pipe)
    {
        List<byte> all = [];
        Span<byte> buffer = stackalloc byte[4096];
        for (long end = Environment.TickCount64 + Milliseconds; all.Count < MaxAnswers;)
        {
            if (!Processes.AwaitReadable(pipe, (int)Math.Max(end - Environment.TickCount64, 0))) break;
            int count = (int)OciException.Check(Files.Read(pipe, buffer), "read the answers");
            if (count == 0) return all.ToArray();
            all.AddRange(buffer[..count]);
        }
        throw new OciException("whoever reads the settings does not come to an end", Errno.ETIMEDOUT);
    }

    private static long Next(ref ReadOnlySpan<byte> answers)
    {
        if (answers.Length < sizeof(long)) throw new OciException("whoever reads the settings was killed", Errno.EPROTO);
        long value = BinaryPrimitives.ReadInt64LittleEndian(answers);
        answers = answers[sizeof(long)..];
        return value;
    }

    private static Setting Value(ref ReadOnlySpan<byte> answers)
    {
        long length = Next(ref answers);
        if (length < 0) return new("", length);
        if (length > answers.Length) throw new OciException("whoever reads the settings was killed", Errno.EPROTO);
        string value = Encoding.UTF8.GetString(answers[..(int)length]).TrimEnd('\n');
        answers = answers[(int)length..];
        return new(value, 0);
    }
}
