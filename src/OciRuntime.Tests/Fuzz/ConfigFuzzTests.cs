using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Fuzz;

/// <summary>Mutated configurations against reader, validator and planner: every refusal is a clean error.</summary>
[Category("Slow")]
public sealed class ConfigFuzzTests
{
    [Test, CancelAfter(7_200_000)]
    public void Mutated_configurations_are_planned_or_refused_cleanly()
    {
        Random random = new(FuzzRun.Seed);
        PlanningTarget target = new(random);
        int inputs = 0;
        new FuzzRun(new JsonMutator(Corpus.Configurations(), random).Next, input =>
        {
            // The published binary has other code (trimmed, compiled ahead of time) and must say the same.
            if (++inputs % 1000 == 0) Explain(input);
            return target.Run(input);
        }).Go(FuzzRun.ForConfigurations);
    }

    /// <summary>`explain` on the input: an explanation, or one error and exit code 1.</summary>
    private static void Explain(byte[] input)
    {
        string bundle = TestRun.NewDirectory("fuzz");
        try
        {
            File.WriteAllBytes(Path.Combine(bundle, "config.json"), input);
            Directory.CreateDirectory(Path.Combine(bundle, "rootfs"));
            using RunningCommand explain = Ocirun.Binary.Start("explain", "--bundle", bundle);
            CommandResult result = PeakMemory.Bounded(explain);
            bool clean = result.ExitCode == 0 ? result.Stdout.Length > 0 : result.ExitCode == 1
                && result.Stderr.Contains("level=error", StringComparison.Ordinal);
            if (!clean) throw new FuzzException($"the published binary: {result}");
        }
        finally
        {
            Cleaner.DeleteTree(bundle);
        }
    }
}
