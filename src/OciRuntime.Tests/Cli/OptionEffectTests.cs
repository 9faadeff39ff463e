using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Config;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>Options whose effect belongs to no other subject.</summary>
public sealed class OptionEffectTests
{
    private TestBundle _bundle = null!;

    [SetUp]
    public void Begin() => _bundle = new TestBundle();

    [TearDown]
    public void End() => _bundle.Dispose();

    [TestCase("create")]
    [TestCase("run")]
    public void Config_names_another_file(string verb)
    {
        _bundle.Args("sleep", "1000").Save();
        File.Move(_bundle.ConfigPath, Path.Combine(_bundle.Directory, "other.json"));
        using TestContainer container = new(_bundle.Args("false"));
        if (verb == "create") container.Create("--config", "other.json").ShouldSucceed();
        else container.Run("--detach", "-f", "other.json").ShouldSucceed();
        if (verb == "create") container.Start().ShouldSucceed();
        container.Init.CommandLine.Should().Equal("sleep", "1000");
    }

    /// <summary>crun's.</summary>
    [Test]
    public void Other_spellings_of_help_and_version()
    {
        foreach (string option in (string[])["-?", "--usage"])
        {
            Ocirun.Run(option).ShouldSucceed().Stdout.Should().Be(Ocirun.Run("--help").Stdout);
            Ocirun.Run("create", option).ShouldSucceed().Stdout.Should().Be(Ocirun.Run("create", "--help").Stdout);
        }
        Ocirun.Run("-V").ShouldSucceed().Stdout.Should().Be(Ocirun.Run("--version").Stdout);
    }

    [Test]
    public void Explain_reads_the_file_that_config_names()
    {
        _bundle.Args("this-one").Save();
        File.Move(_bundle.ConfigPath, Path.Combine(_bundle.Directory, "other.json"));
        _bundle.Args("another-one").Save();
        Explain().Should().Contain("another-one");
        Explain("--config", "other.json").Should().Contain("this-one").And.NotContain("another-one");
    }

    [Test]
    public void Explain_shows_how_the_root_is_entered()
    {
        _bundle.Save();
        Explain().Should().Contain("pivot_root");
        Explain("--no-pivot").Should().Contain("chroot").And.NotContain("pivot_root");
    }

    [Test]
    public void Explain_shows_the_descriptors_that_are_handed_on()
    {
        _bundle.Save();
        Explain("--preserve-fds", "2").Should().Contain("keep those of the descriptors 3 to 4 open for the program that are open");
    }

    [Test]
    public void Create_without_pivot_has_a_root_of_its_own()
    {
        using TestContainer container = Observe.Sleeping(_bundle, "--no-pivot");
        container.Exec("ls", "/").ShouldSucceed().Lines.Should().Contain("home").And.NotContain("usr");
        new ProcessView(container.InitPid).NamespaceInode("mnt").Should()
            .NotBe(new ProcessView(Environment.ProcessId).NamespaceInode("mnt"));
    }

    [TestCase("--regex")]
    [TestCase("-r")]
    public void Kill_and_delete_by_pattern_reach_those_that_match(string option)
    {
        string root = TestRun.NewDirectory("state");
        using TestContainer first = new TestContainer(_bundle.Args("sleep", "1000"), root: root).Started();
        using TestContainer other = new TestContainer(_bundle, root: root).Started();
        Ocirun.Run("--root", root, "kill", option, $"^{first.Id}$", "KILL").ShouldSucceed();
        first.WaitStatus("stopped");
        other.Status.Should().Be("running");
        Ocirun.Run("--root", root, "delete", option, $"{first.Id}").ShouldSucceed();
        first.State().ShouldFail(1, "does not exist");
        other.Status.Should().Be("running");
    }

    [Test]
    public void Cgroup_manager_disabled_makes_no_cgroup()
    {
        string Cgroup(string manager)
        {
            using TestContainer container = new(_bundle.WithCgroup().Args("sleep", "1000"));
            container.GlobalOptions.AddRange(["--cgroup-manager", manager]);
            return container.Started().Proc("cgroup");
        }

        Cgroup("cgroupfs").Should().Contain($"/{TestRun.Token}/");
        Cgroup("disabled").Should().Be(File.ReadAllText("/proc/self/cgroup"));
    }

    [Test]
    public void Every_command_knows_the_version()
    {
        string version = Ocirun.Run("--version").ShouldSucceed().Stdout;
        foreach (VerbOptions verb in Verbs.All) Ocirun.Run(verb.VerbName, "--version").ShouldSucceed().Stdout.Should().Be(version);
    }

    private string Explain(params string[] options)
    {
        int[] descriptors = [Syscall.open("/dev/null", OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC),
            Syscall.open("/dev/null", OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC)];
        try
        {
            return Ocirun.Run(["explain", "--bundle", _bundle.Directory, .. options], new CommandOptions { ExtraFds = descriptors })
                .ShouldSucceed().Stdout;
        }
        finally
        {
            foreach (int fd in descriptors) _ = Syscall.close(fd);
        }
    }
}
