using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Launch;

/// <summary>
/// The promise of `explain`: with --debug each action of a launch tells its words when it is done, and they are those that were printed, in
/// their order.
/// </summary>
public sealed class LaunchActionTests
{
    private const string Done = "done: ";

    /// <summary>Init asks for these only where it has to.</summary>
    private static readonly string[] AsNeeded = ["if the container's device cgroup denies it the device", "if the user namespace hides it"];

    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.OnThisMachine))]
    public void What_is_done_is_what_was_explained(string fixture)
    {
        Requires.OcirunItself();
        using FixtureBundle prepared = new(fixture);
        Compare(prepared, new()).Should().Contain("record the container as created");
    }

    [Test]
    public void So_is_what_the_caller_asks_for()
    {
        Requires.OcirunItself();
        using FixtureBundle prepared = new("sections/hooks");
        using NotifySocket host = new();
        using DescriptorSocket pidfds = new();
        prepared.Bundle.Annotations["run.oci.pidfd_receiver"] = pidfds.SocketPath;
        prepared.Bundle.Annotations["run.oci.hooks.stderr"] = Path.Combine(prepared.Bundle.Directory, "hooks");
        Compare(prepared, host.Options, "--preserve-fds", "2").Should()
            .ContainMatch("*NOTIFY_SOCKET*").And.ContainMatch("*send the pidfd*").And.ContainMatch("*append what hooks write*")
            .And.ContainMatch("*keep those of the descriptors 3 to 4*");
    }

    /// <summary>Creates the container, compares, and gives what was done.</summary>
    private static string[] Compare(FixtureBundle prepared, CommandOptions environment, params string[] options)
    {
        string log = Path.Combine(prepared.Bundle.Directory, "log");
        string[] explained = [];
        prepared.BeforeCreate = (container, console) =>
        {
            container.Options = environment;
            prepared.Bundle.Save();
            string[] line = ["explain", "--format", "json", .. options, .. console, "--bundle", prepared.Bundle.Directory, container.Id];
            explained = [.. Actions(container.Call(line).ShouldSucceed().Json.AsObject())];
        };
        prepared.CreateOptions.AddRange(options);
        prepared.Created("--debug", "--log", log, "--log-format", "json");
        string[] done = [.. File.ReadAllLines(log).Select(static line => (string)JsonNode.Parse(line)!["msg"]!)
            .Where(static text => text.StartsWith(Done, StringComparison.Ordinal)).Select(static text => text[Done.Length..])];
        done.Should().Equal(explained.Where(line => done.Contains(line) || !AsNeeded.Any(line.Contains)));
        return done;
    }

    private static IEnumerable<string> Actions(JsonObject plan) =>
        ((JsonNode?[])[plan["prepare"], plan["clone"]!["runtime"], .. plan["steps"]!.AsArray().Select(static step => step!["runtime"])])
        .SelectMany(static list => list?.AsArray() ?? [])
        .Select(static action => (string?)action!["pointer"] is { } pointer ? $"{pointer}: {action["text"]}" : (string)action["text"]!);
}
