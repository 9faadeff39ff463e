using System.Diagnostics;
using System.Globalization;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>
/// Mutated configurations against reader, validator and planner: no crash, no hang, bounded memory, and every refusal a clean error. `./build.sh fuzz
/// SECONDS` runs it for longer; a failure names its seed and keeps its input.
/// </summary>
[NonParallelizable]
public sealed class ConfigFuzzTests
{
    private const int DefaultSeconds = 30;

    // Generous, as the machine has other work; a quadratic loop over 400 of anything stays below, an endless one does not.
    private const int MostMilliseconds = 10_000;

    // For each byte of input, and for a start: the plan, two explanations and the seccomp program.
    private const long MostBytes = 48 << 20, MostBytesPerByte = 4096;

    private byte[] _input = [];
    private long _started;

    [Test, CancelAfter(7_200_000)]
    public void Mutated_configurations_are_planned_or_refused_cleanly()
    {
        int seconds = Setting("OCIRUN_FUZZ_SECONDS") ?? DefaultSeconds;
        int seed = Setting("OCIRUN_FUZZ_SEED") ?? Environment.TickCount;
        string report = "";
        Thread worker = new(() => report = Fuzz(seed, TimeSpan.FromSeconds(seconds)), 1 << 20) { IsBackground = true };
        worker.Start();
        while (!worker.Join(500))
        {
            if (Volatile.Read(ref _started) is var started && started != 0 && Environment.TickCount64 - started > MostMilliseconds)
            {
                Assert.Fail($"seed {seed}: an input takes more than {MostMilliseconds} ms: {Keep()}");
            }
        }
        TestContext.Out.WriteLine(report);
        report.Should().NotContain("FAILED").And.MatchRegex("[1-9][0-9]* planned").And.MatchRegex("[1-9][0-9]* refused");
    }

    /// <summary>Runs until the time is up or a promise is broken; one line about it.</summary>
    private string Fuzz(int seed, TimeSpan time)
    {
        Random random = new(seed);
        ConfigMutator mutator = new(new Corpus(), random);
        PlanningTarget target = new(random);
        int[] outcomes = new int[2];
        int published = 0;
        var clock = Stopwatch.StartNew();
        while (clock.Elapsed < time)
        {
            _input = mutator.Next();
            try
            {
                FuzzOutcome outcome = Measured(target);
                outcomes[(int)outcome]++;
                // The published binary has other code (trimmed, compiled ahead of time) and must say the same.
                if ((outcomes[0] + outcomes[1]) % 1000 == 0) published += Published();
            }
            catch (Exception e)
            {
                return $"FAILED with seed {seed}, input {Keep()}: {e}";
            }
        }
        return $"seed {seed}: {outcomes[(int)FuzzOutcome.Planned]} planned, {outcomes[(int)FuzzOutcome.Refused]} refused, {published} of them also by the published binary";
    }

    private FuzzOutcome Measured(PlanningTarget target)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Volatile.Write(ref _started, Environment.TickCount64);
        FuzzOutcome outcome = target.Run(_input);
        Volatile.Write(ref _started, 0);
        long used = GC.GetAllocatedBytesForCurrentThread() - before;
        return used <= MostBytes + MostBytesPerByte * _input.Length ? outcome : throw new FuzzException($"{used} bytes of memory for {_input.Length} bytes of input");
    }

    /// <summary>`explain` on the input: an explanation, or one error and exit code 1.</summary>
    private int Published()
    {
        string bundle = TestRun.NewDirectory("fuzz");
        try
        {
            File.WriteAllBytes(Path.Combine(bundle, "config.json"), _input);
            Directory.CreateDirectory(Path.Combine(bundle, "rootfs"));
            CommandResult result = Ocirun.Binary.Run(["explain", "--bundle", bundle]);
            bool clean = result.ExitCode == 0 ? result.Stdout.Length > 0 : result.ExitCode == 1 && result.Stderr.Contains("level=error", StringComparison.Ordinal);
            return clean ? 1 : throw new FuzzException($"the published binary: {result}");
        }
        finally
        {
            Cleaner.DeleteTree(bundle);
        }
    }

    private string Keep()
    {
        string path = Path.Combine(Path.GetTempPath(), $"ocirun-fuzz-{TestRun.NextNumber()}-{Environment.ProcessId}.json");
        File.WriteAllBytes(path, _input);
        return $"{path} ({Encoding.UTF8.GetString(_input.AsSpan(0, Math.Min(_input.Length, 200)))} …)";
    }

    private static int? Setting(string name) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : null;
}
