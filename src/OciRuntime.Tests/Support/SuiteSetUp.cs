using NUnit.Framework;
using OciRuntime.Tests.Support;

[assembly: SortTests]
[assembly: LeavesNothing]
[assembly: System.Runtime.Versioning.SupportedOSPlatform("linux")]

namespace OciRuntime.Tests;

/// <summary>Around the whole suite: cleans up after killed runs first, and proves at the end that this one left nothing.</summary>
[SetUpFixture]
public sealed class SuiteSetUp
{
    private HostSnapshot? _before;

    /// <summary>Runs before the first test.</summary>
    [OneTimeSetUp]
    public void Begin()
    {
        if (!TestRun.MayChangeTheHost) return;
        Children.Adopt();
        Cleaner.RemoveStaleRuns();
        _before = HostSnapshot.Take();
    }

    /// <summary>
    /// Runs after the last test. The test adapter only warns about a failure here, so it is also written where build.sh looks.
    /// </summary>
    [OneTimeTearDown]
    public void End()
    {
        if (!TestRun.MayChangeTheHost)
        {
            Cleaner.DeleteTree(TestRun.Root);
            return;
        }
        IReadOnlyList<string> left = [.. Leaks.Take(), .. _before?.DiffNow(TimeSpan.FromSeconds(15)) ?? []];
        Cleaner.RemoveEmptyParents(TestRun.Token);
        Cleaner.RemoveCgroups(TestRun.Token);
        Cleaner.KillDescendants();
        Cleaner.UnmountBelow(TestRun.Root);
        Cleaner.DeleteTree(TestRun.Root);
        if (left.Count > 0)
        {
            string report = $"the suite changed the host:\n  {string.Join("\n  ", left)}";
            if (Environment.GetEnvironmentVariable("OCIRUN_LEAK_REPORT") is { Length: > 0 } path) File.WriteAllText(path, report + "\n");
            Assert.Fail(report);
        }
    }
}
