using NUnit.Framework;
using NUnit.Framework.Interfaces;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Compares the host before and after every single test, outside its SetUp and TearDown, and fails the one that left something.
/// What a fixture holds from OneTimeSetUp on is there before and after, so it does not count; <see cref="SuiteSetUp"/> catches that.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly | AttributeTargets.Class | AttributeTargets.Method)]
public sealed class LeavesNothingAttribute : Attribute, ITestAction
{
    // Tests do not run in parallel, so one is enough.
    private static HostSnapshot? _before;

    /// <inheritdoc/>
    public ActionTargets Targets => ActionTargets.Test;

    /// <inheritdoc/>
    public void BeforeTest(ITest test)
    {
        Leaks.Take();
        _before = HostSnapshot.Take();
    }

    /// <summary>For a daemon of the fixture that a test starts anew: it and its children are no leftovers of the test.</summary>
    internal static void Keep(int pid) => _before?.AddProcesses([pid, .. ProcessTree.DescendantsOf(pid)]);

    /// <inheritdoc/>
    public void AfterTest(ITest test)
    {
        IReadOnlyList<string> difference = _before!.DiffNow(), left = [.. Leaks.Take(), .. difference];
        if (left.Count > 0)
        {
            // This test has failed with it; the ones after it, and the end of the suite, are not to fail once more.
            Cleaner.Remove(difference);
            Assert.Fail($"{test.Name} changed the host:\n  {string.Join("\n  ", left)}");
        }
    }
}
