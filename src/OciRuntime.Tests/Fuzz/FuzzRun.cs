using System.Diagnostics;
using System.Globalization;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>What came of an input.</summary>
internal enum FuzzOutcome
{
    /// <summary>It was refused, as the target refuses what is wrong.</summary>
    Refused,

    /// <summary>It was taken for good.</summary>
    Taken,
}

/// <summary>A broken promise.</summary>
internal sealed class FuzzException(string message) : Exception(message);

/// <summary>
/// Gives inputs to a target until the time is up or a promise is broken: no exception, no hang, bounded memory. `./build.sh fuzz SECONDS`
/// has more time; a failure names its seed and keeps its input.
/// </summary>
internal sealed class FuzzRun(Func<byte[]> next, Func<byte[], FuzzOutcome> target)
{
    // Generous, as the machine has other work; a quadratic loop over 400 of anything stays below, an endless one does not.
    private const int MostMilliseconds = 10_000;

    // All that is asked for, whatever of it is given back meanwhile: so much at once it is never.
    private const long MostBytes = 64 << 20;

    /// <summary>Seconds for configurations in a test run.</summary>
    public const int ForConfigurations = 30;

    private readonly int[] _outcomes = new int[2];
    private byte[] _input = [];
    private long _started, _mostBytes;

    /// <summary>What the random numbers begin with: another one each time, or that of a failure that is looked at.</summary>
    public static int Seed { get; } = Setting("OCIRUN_FUZZ_SEED") ?? Environment.TickCount;

    /// <summary>What so many seconds of a test run are with the time that the caller of build.sh gives, if any.</summary>
    public static TimeSpan? Given(double seconds) =>
        Setting("OCIRUN_FUZZ_SECONDS") is { } given ? TimeSpan.FromSeconds(given * seconds / ForConfigurations) : null;

    /// <summary>
    /// Runs for so many seconds, or for this part of those that the caller of build.sh gives to configurations, and wants inputs of both
    /// outcomes.
    /// </summary>
    public void Go(double seconds)
    {
        TimeSpan time = Given(seconds) ?? TimeSpan.FromSeconds(seconds);
        string? failure = null;
        // With the stack of the main thread of a program that is given little.
        Thread worker = new(() => failure = Feed(time), 1 << 20) { IsBackground = true };
        worker.Start();
        while (!worker.Join(100))
        {
            if (Volatile.Read(ref _started) is var started && started != 0 && Environment.TickCount64 - started > MostMilliseconds)
                Assert.Fail($"seed {Seed}: an input takes more than {MostMilliseconds} ms: {Keep()}");
        }
        TestContext.Out.WriteLine($"seed {Seed}: {_outcomes[(int)FuzzOutcome.Taken]} taken, {_outcomes[(int)FuzzOutcome.Refused]} refused, "
            + $"{_mostBytes >> 10} KiB of memory at most");
        failure.Should().BeNull();
        _outcomes.Should().NotContain(0);
    }

    private string? Feed(TimeSpan time)
    {
        Stopwatch clock = Stopwatch.StartNew();
        while (clock.Elapsed < time || _outcomes.Contains(0))
        {
            _input = next();
            try
            {
                long before = GC.GetAllocatedBytesForCurrentThread();
                Volatile.Write(ref _started, Environment.TickCount64);
                _outcomes[(int)target(_input)]++;
                Volatile.Write(ref _started, 0);
                long used = GC.GetAllocatedBytesForCurrentThread() - before;
                _mostBytes = Math.Max(_mostBytes, used);
                if (used > MostBytes) throw new FuzzException($"{used} bytes of memory for {_input.Length}");
            }
            catch (Exception e)
            {
                return $"seed {Seed}, input {Keep()}: {e}";
            }
        }
        return null;
    }

    private string Keep()
    {
        string path = Path.Combine(Path.GetTempPath(), $"ocirun-fuzz-{TestRun.NextNumber()}-{Environment.ProcessId}");
        File.WriteAllBytes(path, _input);
        return $"{path} ({Encoding.UTF8.GetString(_input.AsSpan(0, Math.Min(_input.Length, 200)))} …)";
    }

    private static int? Setting(string name) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value)
        ? value : null;
}
