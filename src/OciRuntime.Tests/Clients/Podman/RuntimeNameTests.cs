using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>
/// Podman chooses what it asks of a runtime by the runtime's name: the same binary under names that Podman knows, and under one that it
/// does not.
/// </summary>
[Category("Slow")]
public sealed class RuntimeNameTests : PodmanTest
{
    private string _configuration = null!;

    /// <summary>Each test has a configuration of its own.</summary>
    [SetUp]
    public void Keep() => _configuration = Podman.Environment["CONTAINERS_CONF"]!;

    /// <summary>Before the containers are removed: each by the runtime that made it.</summary>
    [TearDown]
    public void Restore()
    {
        Podman.Run("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        Podman.Environment["CONTAINERS_CONF"] = _configuration;
    }

    private static string Configure(string name, string lists = "")
    {
        string directory = Directory.CreateDirectory(NewPath()).FullName, binary = $"{directory}/{name}";
        File.CreateSymbolicLink(binary, Ocirun.Binary.Path);
        PodmanHost.WriteConfiguration($"{directory}/containers.conf", $"""
            runtime = "{name}"
            {lists}
            [engine.runtimes]
            {name} = ["{binary}"]
            """);
        Podman.Environment["CONTAINERS_CONF"] = $"{directory}/containers.conf";
        return binary;
    }

    [TestCase("crun", "")]
    [TestCase("runc", "")]
    [TestCase("other", "")]
    [TestCase("other", """runtime_supports_json = ["other"]""")]
    [TestCase("other", """runtime_supports_json = ["other"]\nruntime_supports_kvm = ["other"]\nruntime_supports_nocgroup = ["other"]""")]
    public void Essentials(string name, string lists)
    {
        Requires.OcirunItself();
        string binary = Configure(name, lists.Replace("\\n", "\n"));
        Do("info", "--format", "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}").Text.Should().Be($"{name} {binary}");
        Do("info", "--format", "{{.Host.OCIRuntime.Version}}").Text.Should().Contain("ocirun version");
        Shell("exit 7").ShouldFail(7);
        Run("/nope").ShouldFail(127, "no such file or directory");
        Run("/etc/passwd").ShouldFail(126, "permission denied");
        Detached("r1", "sleep", "1000");
        Inspect("r1", "{{.OCIRuntime}}").Should().Be(name);
        Do("exec", "r1", "echo", "exec").Text.Should().Be("exec");
        Podman.Run("exec", "r1", "/nope").ShouldFail(127);
        Podman.RunInTerminal(["exec", "-it", "r1", "sh", "-c", "tty; sleep 0.3"]).Stdout.Should().Contain("/dev/pts/0");
        Do("pause", "r1");
        Do("unpause", "r1");
        Do("stop", "--time=0", "r1");
    }

    /// <summary>Only crun is trusted with it, and whatever the configuration adds.</summary>
    [Test]
    public void Without_cgroups()
    {
        Configure("other");
        Run("--cgroups=disabled", "bb", "true").ShouldFail(125, "not compatible with NoCgroups");
        Requires.NotRuntime("runc", "it has no --cgroup-manager");
        Configure("other", """runtime_supports_nocgroup = ["other"]""");
        Detached("r2", "--cgroups=disabled", "bb", "sleep", "1000");
        Init("r2").Proc("cgroup").Should().Be(new ProcessView(Environment.ProcessId).Proc("cgroup"));
        Do("exec", "r2", "echo", "exec").Text.Should().Be("exec");
        Do("stop", "--time=0", "r2");
    }

    [Test]
    public void Flags_of_the_runtime()
    {
        string log = NewPath();
        // Podman's own --log comes later and wins; the flag must be understood all the same.
        Podman.Run(["--runtime-flag", "debug", "--runtime-flag", $"log={log}", .. Line("run --rm", "echo", "ok")])
            .ShouldSucceed().Text.Should().Be("ok");
    }
}
