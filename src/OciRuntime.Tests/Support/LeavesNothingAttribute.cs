using NUnit.Framework;
using NUnit.Framework.Interfaces;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Compares the host before and after every single system test, outside its SetUp and TearDown, and fails the one that left something.
/// What a fixture holds from OneTimeSetUp on is there before and after, so it does not count; <see cref="SuiteSetUp"/> catches that.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class LeavesNothingAttribute : Attribute, ITestAction
{
    // System tests do not run in parallel, so one is enough.
    private static HostSnapshot? _before;

    /// <inheritdoc/>
    public ActionTargets Targets => ActionTargets.Test;

    /// <inheritdoc/>
    public void BeforeTest(ITest test)
    {
        if (SortTestsAttribute.IsUnit(test)) return;
        if (!TestRun.MayChangeTheHost) Assert.Fail("this is a system test: it makes containers and the like, and needs root");
        Leaks.Take();
        _before = HostSnapshot.Take();
    }

    /// <summary>For a daemon of the fixture that a test starts anew: it and its children are no leftovers of the test.</summary>
    internal static void Keep(int pid) => _before?.AddProcesses([pid, .. ProcessTree.DescendantsOf(pid)]);

    /// <inheritdoc/>
    public void AfterTest(ITest test)
    {
        if (SortTestsAttribute.IsUnit(test) || _before is null) return;
        IReadOnlyList<string> difference = _before.DiffNow(), left = [.. Leaks.Take(), .. difference];
        if (left.Count > 0)
        {
            // This test has failed with it; the ones after it, and the end of the suite, are not to fail once more.
            Cleaner.Remove(difference);
            // NUnit forgets what the test itself has thrown, which is mostly why.
            string before = TestContext.CurrentContext.Result.Message is { Length: > 0 } message ? $"{message}\n" : "";
            Assert.Fail($"{before}{test.Name} changed the host:\n  {string.Join("\n  ", left)}");
        }
    }
}
