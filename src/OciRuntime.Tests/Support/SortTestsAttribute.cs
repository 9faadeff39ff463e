using NUnit.Framework;
using NUnit.Framework.Interfaces;
using NUnit.Framework.Internal;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Gives every test of the assembly the category Unit or System, by what its code reaches (<see cref="MachineReach"/>): nothing is kept by
/// hand, and nothing can be forgotten. Fixtures with unit tests only run beside each other; that has an effect where a run has several
/// workers.
/// </summary>
[AttributeUsage(AttributeTargets.Assembly)]
public sealed class SortTestsAttribute : Attribute, IApplyToTest
{
    /// <summary>No root, no packages, no binary.</summary>
    public const string Unit = "Unit";

    /// <summary>Everything else.</summary>
    public const string System = "System";

    /// <summary>Whether it is one, itself or as a case of one.</summary>
    public static bool IsUnit(ITest? test) =>
        test is not null
        && ((test.Properties.ContainsKey(PropertyNames.Category) && test.Properties[PropertyNames.Category].Contains(Unit))
        || IsUnit(test.Parent));

    /// <summary>
    /// Fails the unit test that is about to do what only system tests may. The sorting has been deceived then, by reflection or by a
    /// delegate in a table: the test or the table gets a <see cref="NeedsMachineAttribute"/>.
    /// </summary>
    public static void DemandSystemTest(string what)
    {
        Test test = TestExecutionContext.CurrentContext.CurrentTest;
        if (IsUnit(test))
            Assert.Fail($"{test.FullName} runs as a unit test and yet does what needs the machine ({what}): mark it with [NeedsMachine]");
    }

    /// <inheritdoc/>
    public void ApplyToTest(Test test) => Sort(test, new MachineReach(GetType().Assembly), null);

    // True when there are unit tests only.
    private static bool Sort(ITest test, MachineReach reach, Type? fixture)
    {
        fixture = test.TypeInfo?.Type ?? fixture;
        if (test.Method is { } method)
        {
            bool needsMachine = reach.IsNeededBy(method.MethodInfo, fixture!);
            test.Properties.Add(PropertyNames.Category, needsMachine ? System : Unit);
            return !needsMachine;
        }
        bool unitOnly = true;
        foreach (ITest child in test.Tests) unitOnly &= Sort(child, reach, fixture);
        if (unitOnly && test is TestFixture && !test.Properties.ContainsKey(PropertyNames.ParallelScope))
            test.Properties.Set(PropertyNames.ParallelScope, ParallelScope.Self);
        return unitOnly;
    }
}
