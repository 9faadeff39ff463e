using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;
using OciRuntime.Tests.Fuzz;
using OciRuntime.Tests.Plan;

namespace OciRuntime.Tests.Spec;

public sealed class SpecFixtureTests
{
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.Valid))]
    public void Valid_file_has_no_errors(string name)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(SpecFixtures.Read(name), problems);
        SeccompReceiver.Apply(spec);
        SpecValidator.Validate(spec, problems);
        problems.ToString().Should().BeEmpty();
        problems.Warnings.Select(warning => warning.Pointer).Should().Equal(name == "kitchen-sink" ? ["/linux/personality/flags/0"] : []);
    }

    [Test]
    public void Kitchen_sink_has_every_mount_option_and_every_annotation_that_means_something()
    {
        RuntimeSpec spec = SpecFixtures.Parse("kitchen-sink");
        MountOptionWords.All.Should().BeSubsetOf(spec.Mounts.SelectMany(mount => mount.Options));
        string[] keys = [.. spec.Annotations.AsSpan().ToArray().Select(annotation => annotation.Key)];
        foreach (string honoured in Annotations.Honoured) keys.Should().Contain(key => key.StartsWith(honoured, StringComparison.Ordinal));
    }

    /// <summary>Each line of NAME.expected is the beginning of exactly one reported error, in order.</summary>
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.Invalid))]
    public void Invalid_file_is_refused_for_the_expected_reasons_and_no_others(string name)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(SpecFixtures.Read("invalid/" + name), problems);
        if (!problems.HasErrors)
            SpecValidator.Validate(spec, problems);
        string[] expected = File.ReadAllLines(SpecFixtures.PathOf($"invalid/{name}.expected"));
        List<string> actual = problems.HasErrors ? problems.Errors.Select(problem => problem.ToString()).ToList() : Refusal(spec);
        actual.Should().HaveCount(expected.Length, "the errors are:\n{0}", problems.ToString());
        foreach (string line in expected)
            actual.Should().Contain(error => error.StartsWith(line, StringComparison.Ordinal), "{0} is expected", line);
        actual.Should().OnlyContain(error => !error.Any(char.IsControl), "a problem is one line");
    }

    /// <summary>What is wrong only in combination is found by the planner, which stops there.</summary>
    private static List<string> Refusal(RuntimeSpec spec)
    {
        try
        {
            LaunchSettings settings = new() { Verb = "create", Id = "c", ConsoleSocket = "/console" };
            LaunchPreparation.Decide(settings, "/run/ocirun/c", spec, "/b", "/b/rootfs", Plans.Root,
                PlanningTarget.CgroupHosts["hybrid"], [], []);
            return [];
        }
        catch (OciException e)
        {
            return [e.Message];
        }
    }

    [Test]
    public void Unset_values_that_engines_write_are_no_mistakes()
    {
        const string json = """
            {"ociVersion":"1.0.2","root":{"path":"r"},"process":{"cwd":"/","args":["a"],"apparmorProfile":"","selinuxLabel":""},
             "linux":{"mountLabel":"","seccomp":{"defaultAction":"","syscalls":[]},"resources":{"memory":{"kernel":0,"kernelTCP":0,"swappiness":null,"disableOOMKiller":false,"useHierarchy":false},
             "cpu":{"burst":0,"realtimeRuntime":0,"realtimePeriod":0,"idle":0},"blockIO":{"weight":0,"leafWeight":0,"weightDevice":null},
             "hugepageLimits":[],"network":{},"rdma":{},"unified":null}}}
            """;
        SpecProblems problems = new();
        SpecValidator.Validate(SpecReader.Parse(System.Text.Encoding.UTF8.GetBytes(json), problems), problems);
        problems.ToString().Should().BeEmpty();
    }

    [Test]
    public void Warnings_do_not_refuse()
    {
        const string json = """
            {"ociVersion":"1.0.2","root":{"path":"r"},"process":{"cwd":"/","args":["a"]},
             "mounts":[{"destination":"data","type":"tmpfs"}],
             "linux":{"namespaces":[{"type":"mount"}],"personality":{"domain":"LINUX","flags":["X"]}}}
            """;
        SpecProblems problems = new();
        SpecValidator.Validate(SpecReader.Parse(System.Text.Encoding.UTF8.GetBytes(json), problems), problems);
        problems.ToString().Should().BeEmpty();
        problems.Warnings.Select(warning => warning.Pointer).Should().Equal("/mounts/0/destination", "/linux/personality/flags/0");
    }
}
