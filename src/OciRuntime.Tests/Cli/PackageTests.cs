using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>`./build.sh package` and `install`: what is in them, that it runs from there, and that it goes away again.</summary>
public sealed class PackageTests
{
    private string _directory = "", _package = "";

    [OneTimeSetUp]
    public void Make()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("package");
        _package = Build("package").Text.Split('\n')[^1];
    }

    [OneTimeTearDown]
    public void End() => Cleaner.DeleteTree(_directory);

    [Test]
    public void It_says_what_it_is()
    {
        string version = Ocirun.Run("--version").Text.Split('\n')[0].Split(' ')[^1];
        string architecture = Command.Run("dpkg", "--print-architecture").Text;
        Path.GetFileName(_package).Should().Be($"ocirun_{version}_{architecture}.deb");
        Command.Run("dpkg-deb", "--field", _package, "Package", "Version", "Architecture", "Depends").ShouldSucceed().Lines
            .Should().Equal("Package: ocirun", $"Version: {version}", $"Architecture: {architecture}");
        string[] contents = Command.Run("dpkg-deb", "--contents", _package).ShouldSucceed().Lines;
        contents.Should().OnlyContain(line => line.Contains(" root/root "));
        contents.Where(line => line.StartsWith("-rwxr-xr-x", StringComparison.Ordinal)).Should().ContainSingle().Which.Should().EndWith(" ./usr/bin/ocirun");
    }

    /// <summary>Nothing of the time or the machine.</summary>
    [Test]
    public void The_same_again_is_the_same_bytes()
    {
        byte[] first = File.ReadAllBytes(_package);
        Build("package");
        File.ReadAllBytes(_package).Should().Equal(first);
    }

    [Test]
    public void It_is_installed_runs_and_is_purged()
    {
        string root = Directory.CreateDirectory($"{_directory}/root").FullName;
        Directory.CreateDirectory($"{root}/var/lib/dpkg/updates");
        Directory.CreateDirectory($"{root}/var/lib/dpkg/info");
        File.WriteAllText($"{root}/var/lib/dpkg/status", "");
        Dpkg(root, "--install", _package);
        Dpkg(root, "--verify", "ocirun").Text.Should().BeEmpty();
        // There is nothing in this root but the package: it needs no library.
        Command.Run("chroot", root, "/usr/bin/ocirun", "--version").ShouldSucceed().Stdout.Should().Be(Ocirun.Run("--version").Stdout);
        Command.Run("zcat", $"{root}/usr/share/man/man8/ocirun-setup.8.gz").ShouldSucceed().Stdout.Should().Be(Ocirun.Run("man", "setup").Stdout);
        Command.Run("zcat", $"{root}/usr/share/doc/ocirun/changelog.gz").ShouldSucceed().Stdout.Should().StartWith("# Changelog");
        foreach (string path in (string[])["bash-completion/completions/ocirun", "zsh/vendor-completions/_ocirun", "fish/vendor_completions.d/ocirun.fish", "doc/ocirun/copyright", "doc/ocirun/THIRD-PARTY-NOTICES"])
        {
            new FileInfo($"{root}/usr/share/{path}").Length.Should().BePositive();
        }
        Dpkg(root, "--purge", "ocirun");
        Directory.GetFiles(root, "*ocirun*", SearchOption.AllDirectories).Should().BeEmpty();
        Directory.Exists($"{root}/usr").Should().BeFalse();
    }

    /// <summary>They are what setup writes where there is nothing yet.</summary>
    [TestCase("containers.conf.d/50-ocirun.conf", "podman", "--default")]
    [TestCase("docker/daemon.json", "docker", "--default")]
    [TestCase("containerd/config.toml", "containerd", "--default")]
    [TestCase("crio.conf.d/50-ocirun.conf", "crio", "--default")]
    [TestCase("runtimeclass.yaml", "kubernetes", "--write=false")]
    public void Examples(string path, string engine, string option)
    {
        Command.Run("dpkg-deb", "--extract", _package, $"{_directory}/extracted").ShouldSucceed();
        File.ReadAllText($"{_directory}/extracted/usr/share/doc/ocirun/examples/{path}")
            .Should().Be(Ocirun.Run("setup", engine, option, "--binary", "/usr/bin/ocirun", "--config", $"{_directory}/none").ShouldSucceed().Stdout).And.NotBeEmpty();
    }

    [Test]
    public void Install_and_uninstall()
    {
        string prefix = Directory.CreateDirectory($"{_directory}/prefix/bin").Parent!.FullName;
        File.WriteAllText($"{prefix}/bin/mine", "");
        Build("install", prefix);
        string[] examples = ["containers.conf.d/50-ocirun.conf", "docker/daemon.json", "containerd/config.toml", "crio.conf.d/50-ocirun.conf", "runtimeclass.yaml"];
        Directory.EnumerateFiles(prefix, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(prefix, file)).Should().BeEquivalentTo(
        [
            "bin/mine", "bin/ocirun", "share/bash-completion/completions/ocirun", "share/zsh/site-functions/_ocirun", "share/fish/vendor_completions.d/ocirun.fish",
            "share/man/man8/ocirun.8", .. Verbs.All.Select(verb => $"share/man/man8/ocirun-{verb.Name}.8"), .. examples.Select(example => $"share/doc/ocirun/examples/{example}"),
        ]);
        Command.Run($"{prefix}/bin/ocirun", "--version").ShouldSucceed();
        File.ReadAllText($"{prefix}/share/doc/ocirun/examples/docker/daemon.json").Should().Contain($"\"{prefix}/bin/ocirun\"");
        Build("uninstall", prefix);
        Directory.GetFiles(prefix, "*", SearchOption.AllDirectories).Should().Equal($"{prefix}/bin/mine");
    }

    private static CommandResult Dpkg(string root, params string[] args) =>
        Command.Run("dpkg", [$"--root={root}", "--force-not-root", "--log=/dev/null", .. args], new CommandOptions()).ShouldSucceed();

    private static CommandResult Build(params string[] args) =>
        Command.Run(Path.Combine(Ocirun.RepositoryRoot, "build.sh"), args, new CommandOptions { Timeout = TimeSpan.FromMinutes(2) }).ShouldSucceed();
}
