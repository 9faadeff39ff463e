using System.Text.Json.Nodes;
using FluentAssertions;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>`verify` of what has just been started: nobody has had the time to change anything, so a drift is a breach, too.</summary>
internal static class Verified
{
    /// <summary>Of what an engine has started.</summary>
    /// <param name="above">A directory of the host, or one above, in which the runtime keeps its state.</param>
    /// <param name="id">The container.</param>
    /// <param name="inside">A process in the mount namespace where that is; null for the tests' own.</param>
    public static void AllHeld(string above, string id, int? inside = null)
    {
        string prefix = inside is { } pid ? $"/proc/{pid}/root" : "";
        string journal = Directory.GetFiles(prefix + above, "state.json", SearchOption.AllDirectories)
            .Single(path => path.EndsWith($"/{id}/state.json", StringComparison.Ordinal));
        string root = Path.GetDirectoryName(Path.GetDirectoryName(journal))![prefix.Length..];
        string[] verify = ["--root", root, "verify", "--format", "json", id];
        AllHeld(inside is null ? Ocirun.Run(verify)
            : Command.Run(Requires.Tool("nsenter"), [$"--target={inside}", "--mount", "--net", Ocirun.Binary.Path, .. verify]));
    }

    /// <summary>The same of a report in JSON.</summary>
    public static JsonNode AllHeld(CommandResult report)
    {
        report.ExitCode.Should().BeLessThan(2, "{0}", report);
        JsonArray findings = report.Json["findings"]!.AsArray();
        findings.Count.Should().BeGreaterThan(5);
        findings.Where(static one => (string?)one!["outcome"] is "broken" or "drifted").Select(static one => one!.ToJsonString())
            .Should().BeEmpty();
        return report.Json;
    }

    /// <summary>The findings of a report in JSON about what config.json asks for at a place, or about a subject.</summary>
    public static JsonNode[] About(CommandResult report, string what)
    {
        report.ExitCode.Should().BeLessThan(2, "{0}", report);
        JsonNode[] found = [.. report.Json["findings"]!.AsArray().Select(static one => one!)
            .Where(one => what == (string?)one["pointer"] || what == (string?)one["subject"])];
        found.Should().NotBeEmpty("{0}: {1}", what, report);
        return found;
    }

    /// <summary>The one finding, as its outcome with what was found.</summary>
    public static (string Outcome, string Found) One(CommandResult report, string what)
    {
        JsonNode found = About(report, what).Single();
        return ((string)found["outcome"]!, (string?)found["found"] ?? "");
    }

    /// <summary>The one finding about a process.</summary>
    public static JsonNode One(TestContainer container, string pointer, int pid) =>
        About(container.Invoke("verify", "--format", "json"), pointer).Single(one => (int?)one["pid"] == pid);

    /// <summary>The worst that has become of what config.json asks for at a place.</summary>
    public static string Worst(TestContainer container, string pointer)
    {
        string[] found = [.. About(container.Invoke("verify", "--format", "json"), pointer).Select(static one => (string)one["outcome"]!)];
        return Array.Find((string[])["broken", "drifted", "unchecked"], outcome => found.Contains(outcome)) ?? "held";
    }

    /// <summary>Has the record of what the container was made with say something else.</summary>
    public static void Promise(TestContainer container, string promised)
    {
        string file = $"{container.StateRoot}/{container.Id}/config.json";
        JsonObject config = JsonNode.Parse(File.ReadAllText(file))!.AsObject();
        Merge(config, JsonNode.Parse(promised)!.AsObject());
        File.WriteAllText(file, config.ToJsonString());
    }

    private static void Merge(JsonObject into, JsonObject from)
    {
        foreach ((string key, JsonNode? value) in from)
        {
            if (key is "linux" or "process" or "resources" && into[key] is JsonObject section) Merge(section, value!.AsObject());
            else into[key] = value!.DeepClone();
        }
    }
}
