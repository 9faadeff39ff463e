using System.Reflection;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;
using OciRuntime.Plan;
using OciRuntime.Tests.Plan;

namespace OciRuntime.Tests.Init;

/// <summary>Which descriptors a child keeps. That it closes all others the kernel says (Lifecycle/DescriptorTests).</summary>
public sealed unsafe class InitDescriptorsTests
{
    /// <summary>The walk goes through the structure as through an array.</summary>
    [Test]
    public void Every_named_descriptor_is_kept()
    {
        FieldInfo[] fields = typeof(InitDescriptors).GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);
        foreach (FieldInfo field in fields)
        {
            field.FieldType.Should().Be<int>();
            object one = InitDescriptors.None;
            field.GetValue(one).Should().Be(-1, field.Name);
            field.SetValue(one, 17);
            Kept((InitDescriptors)one, [], first: 3).Should().Equal([17], field.Name);
        }
    }

    /// <summary>While a container waits for `start`. Whatever else is added is closed until it is named here and there.</summary>
    [Test]
    public void What_outlasts_the_set_up_is_named()
    {
        FieldInfo[] fields = typeof(InitDescriptors).GetFields(BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Instance);
        object all = InitDescriptors.None;
        foreach (FieldInfo field in fields) field.SetValue(all, 17);
        fields.Where(field => (int)field.GetValue(((InitDescriptors)all).Lasting)! == 17).Select(static field => field.Name).Should()
            .Equal("Sync", "Start", "State", "HookStdout", "HookStderr");
    }

    [Test]
    public void Kept_are_those_with_a_name_and_those_of_steps_from_a_number_on()
    {
        InitDescriptors named = InitDescriptors.None;
        (named.Sync, named.HookStdout) = (12, 4);
        Kept(named, [9, -1, 12, 3, 13, 5], first: 5).Should().Equal(5, 9, 12, 13);
        Kept(named, [], first: 13).Should().BeEmpty();
    }

    [Test]
    public void Steps_have_the_descriptors_that_they_were_given()
    {
        LaunchPlan plan = Plans.Default(static c => c["linux"]!["namespaces"]!.AsArray()
            .Single(static n => (string?)n!["type"] == "network")!["path"] = "/ns/net", cgroups: Plans.Hybrid);
        InheritedDescriptors descriptors = new();
        descriptors.GiveTasks(plan, [21, -1]);
        FluentActions.Invoking(() => PlanCompiler.Compile(plan, descriptors)).Should().Throw<InvalidOperationException>()
            .WithMessage("JoinNamespaces was not given what it needs");
        descriptors.Give(plan.Find<JoinNamespacesStep>()!, 23);
        descriptors.Named.Start = 24;
        InitPlan* native = PlanCompiler.Compile(plan, descriptors).Native;
        List<int> tasks = [];
        for (int i = 0; i < native->StepCount; i++)
        {
            InitStep step = native->Steps[i];
            if (step.Op == InitOp.EnterCgroup) tasks.Add(step.As<EnterCgroupArguments>()->Tasks);
            if (step.Op == InitOp.JoinNamespaces) step.As<JoinNamespacesArguments>()->Joins[0].Fd.Should().Be(23);
        }
        tasks.Should().Equal(21, -1);
        native->Fds.Start.Should().Be(24);
        new Span<int>(native->StepFds.Items, native->StepFds.Count).ToArray().Should().Equal(21, -1, 23);
    }

    private static List<uint> Kept(InitDescriptors named, int[] more, uint first)
    {
        List<uint> kept = [];
        fixed (int* items = more)
        {
            while (named.Lowest(first, new(items, more.Length)) is var next && next != uint.MaxValue)
            {
                kept.Add(next);
                first = next + 1;
            }
        }
        return kept;
    }
}
