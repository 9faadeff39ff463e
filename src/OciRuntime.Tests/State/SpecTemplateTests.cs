using System.Text.Json;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Commands;
using OciRuntime.Linux;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.State;

public sealed class SpecTemplateTests
{
    // Only what is meant to differ from runc's may differ, to the byte.
    [Test]
    public void Is_runcs_but_for_version_name_and_ambient_capabilities([Values] bool rootless)
    {
        using TemporaryRoot root = new();
        string[] arguments = rootless ? ["spec", "--rootless", "-b", root.Base] : ["spec", "-b", root.Base];
        Command.Run(Requires.Tool("runc"), arguments).ShouldSucceed();
        string theirs = File.ReadAllText(Path.Combine(root.Base, "config.json"));
        theirs = Regex.Replace(theirs, "\"ociVersion\": \"[^\"]*\"", "\"ociVersion\": \"1.3.0\"")
            .Replace("\"hostname\": \"runc\"", "\"hostname\": \"ocirun\"", StringComparison.Ordinal);
        theirs = Regex.Replace(theirs, ",\n\t\t\t\"ambient\": \\[[^]]*\\]", "");
        File.Delete(Path.Combine(root.Base, "config.json"));

        SpecCommand.Run(new GlobalOptions(), new SpecOptions { Bundle = root.Base, Rootless = rootless }).Should().Be(0);
        File.ReadAllText(Path.Combine(root.Base, "config.json")).Should().Be(theirs);
    }

    [Test]
    public void Is_JSON_in_every_variant([Values] bool rootless, [Values] bool cgroup2)
    {
        JsonElement config = JsonDocument.Parse(SpecTemplate.Build(rootless, cgroup2, 1000, 1001).ToArray()).RootElement;
        string[] namespaces = [.. config.GetProperty("linux").GetProperty("namespaces").EnumerateArray()
            .Select(n => n.GetProperty("type").GetString()!)];
        namespaces.Contains("cgroup").Should().Be(cgroup2);
        namespaces.Contains("network").Should().Be(!rootless);
        namespaces.Contains("user").Should().Be(rootless);
        if (rootless) config.GetProperty("linux").GetProperty("gidMappings")[0].GetProperty("hostID").GetInt32().Should().Be(1001);
    }

    [Test]
    public void Never_overwrites()
    {
        using TemporaryRoot root = new();
        File.WriteAllText(Path.Combine(root.Base, "config.json"), "mine");
        File.CreateSymbolicLink(Path.Combine(root.Base, "link.json"), "nowhere");
        FluentActions.Invoking(() => SpecCommand.Run(new GlobalOptions(), new SpecOptions { Bundle = root.Base }))
            .Should().Throw<OciException>().WithMessage("File config.json exists. Remove it first");
        FluentActions.Invoking(() => SpecCommand.Run(new GlobalOptions(), new SpecOptions { Bundle = root.Base, File = "link.json" }))
            .Should().Throw<OciException>().WithMessage("File link.json exists. Remove it first");
        File.ReadAllText(Path.Combine(root.Base, "config.json")).Should().Be("mine");
    }
}
