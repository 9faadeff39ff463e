using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
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
        contents.Where(line => line.StartsWith("-rwxr-xr-x", StringComparison.Ordinal)).Should().ContainSingle().Which.Should()
            .EndWith(" ./usr/bin/ocirun");
        contents.Where(line => line.StartsWith('l')).Should().ContainSingle().Which.Should()
            .EndWith(" ./usr/bin/containerd-shim-ocirun-v2 -> ocirun");
    }

    /// <summary>Nothing of the time or the machine.</summary>
    [Test]
    public void The_same_again_is_the_same_bytes()
    {
        byte[] first = File.ReadAllBytes(_package);
        Build("package");
        File.ReadAllBytes(_package).Should().Equal(first);
    }

    /// <summary>Any key but the maintainer's, and any byte but the packaged one, is told.</summary>
    [Test]
    public void Checksums_are_signed()
    {
        Command.Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", $"{_directory}/key").ShouldSucceed();
        Build("package", "--sign", $"{_directory}/key");
        string folder = Path.GetDirectoryName(_package)!, sums = Path.ChangeExtension(_package, "SHA256SUMS");
        Command.Run("sha256sum", ["--check", sums], new CommandOptions { WorkingDirectory = folder }).ShouldSucceed().Lines.Should()
            .Equal($"{Path.GetFileName(_package)}: OK", $"{Path.GetFileNameWithoutExtension(_package)}.spdx.json: OK");
        File.WriteAllText($"{_directory}/signers", $"me {File.ReadAllText($"{_directory}/key.pub")}");
        string[] verify = ["-Y", "verify", "-f", $"{_directory}/signers", "-I", "me", "-n", "ocirun", "-s", $"{sums}.sig"];
        Command.Run("ssh-keygen", verify, new CommandOptions { Stdin = File.ReadAllText(sums) }).ShouldSucceed();
        Command.Run("ssh-keygen", verify, new CommandOptions { Stdin = File.ReadAllText(sums) + "x" }).Succeeded.Should().BeFalse();
    }

    [Test]
    public void It_says_what_it_is_made_of()
    {
        JsonNode sbom = SbomOf(_package);
        sbom["spdxVersion"]!.GetValue<string>().Should().Be("SPDX-2.3");
        Dictionary<string, JsonNode> packages = sbom["packages"]!.AsArray().ToDictionary(p => p!["name"]!.GetValue<string>(), p => p!);
        packages["ocirun"]["checksums"]![0]!["checksumValue"]!.GetValue<string>().Should()
            .Be(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Ocirun.Binary.Path))));
        packages.Keys.Should().Contain(["Tomlyn", "CommandLineParser", "libc6-dev"]);
        RuntimeOf(_package).Should().Be($"linux-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}");
        packages.Values.Should().OnlyContain(p => p["versionInfo"]!.GetValue<string>().Length > 0);
        // Every relationship names packages that are there.
        IEnumerable<string> ids = packages.Values.Select(p => p["SPDXID"]!.GetValue<string>()).Append("SPDXRef-DOCUMENT");
        sbom["relationships"]!.AsArray().SelectMany(r => (string[])[r!["spdxElementId"]!.GetValue<string>(),
            r!["relatedSpdxElement"]!.GetValue<string>()]).Should().BeSubsetOf(ids);
    }

    /// <summary>
    /// No writable code, no executable stack, relocations read-only, no library, and nothing of the directory it was compiled in.
    /// </summary>
    [Test]
    public void The_binary_is_hardened()
    {
        string[] segments = Command.Run("readelf", "--program-headers", "--wide", Ocirun.Binary.Path).ShouldSucceed().Lines;
        segments.Should().Contain(line => line.Contains("GNU_RELRO"))
            .And.Contain(line => line.Contains("GNU_STACK") && line.Contains(" RW "))
            .And.NotContain(line => line.Contains("RWE")).And.NotContain(line => line.Contains("INTERP"));
        string dynamic = Command.Run("readelf", "--dynamic", "--wide", Ocirun.Binary.Path).ShouldSucceed().Stdout;
        dynamic.Should().Contain("BIND_NOW").And.NotContain("(NEEDED)");
        File.ReadAllBytes(Ocirun.Binary.Path).AsSpan().IndexOf(Encoding.UTF8.GetBytes($"{Ocirun.RepositoryRoot}/")).Should().Be(-1);
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
        Command.Run("chroot", root, "/usr/bin/containerd-shim-ocirun-v2", "-info").ShouldSucceed().Stdout.Should()
            .Contain("containerd-shim-ocirun-v2");
        Command.Run("zcat", $"{root}/usr/share/man/man8/ocirun-setup.8.gz").ShouldSucceed().Stdout.Should()
            .Be(Ocirun.Run("man", "setup").Stdout);
        Command.Run("zcat", $"{root}/usr/share/doc/ocirun/changelog.gz").ShouldSucceed().Stdout.Should().StartWith("# Changelog");
        foreach (string path in (string[])["bash-completion/completions/ocirun", "zsh/vendor-completions/_ocirun",
            "fish/vendor_completions.d/ocirun.fish", "doc/ocirun/copyright", "doc/ocirun/THIRD-PARTY-NOTICES"])
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
            .Should().Be(Ocirun.Run("setup", engine, option, "--binary", "/usr/bin/ocirun", "--config", $"{_directory}/none")
            .ShouldSucceed().Stdout).And.NotBeEmpty();
    }

    [Test]
    public void Install_and_uninstall()
    {
        string prefix = Directory.CreateDirectory($"{_directory}/prefix/bin").Parent!.FullName;
        File.WriteAllText($"{prefix}/bin/mine", "");
        Build("install", prefix);
        string[] examples = ["containers.conf.d/50-ocirun.conf", "docker/daemon.json", "containerd/config.toml",
            "crio.conf.d/50-ocirun.conf", "runtimeclass.yaml"];
        Directory.EnumerateFiles(prefix, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(prefix, file)).Should()
            .BeEquivalentTo(
        [
            "bin/mine", "bin/ocirun", "bin/containerd-shim-ocirun-v2",
            "share/bash-completion/completions/ocirun", "share/zsh/site-functions/_ocirun",
            "share/fish/vendor_completions.d/ocirun.fish",
            "share/man/man8/ocirun.8", .. Verbs.All.Select(verb => $"share/man/man8/ocirun-{verb.VerbName}.8"),
            .. examples.Select(example => $"share/doc/ocirun/examples/{example}"),
        ]);
        Command.Run($"{prefix}/bin/ocirun", "--version").ShouldSucceed();
        new FileInfo($"{prefix}/bin/containerd-shim-ocirun-v2").LinkTarget.Should().Be("ocirun");
        File.ReadAllText($"{prefix}/share/doc/ocirun/examples/docker/daemon.json").Should().Contain($"\"{prefix}/bin/ocirun\"");
        Build("uninstall", prefix);
        Directory.GetFiles(prefix, "*", SearchOption.AllDirectories).Should().Equal($"{prefix}/bin/mine");
    }

    /// <summary>The machine for which the runtime is that a package says is linked into its binary.</summary>
    internal static string RuntimeOf(string package)
    {
        const string Prefix = "Microsoft.NETCore.App.Runtime.NativeAOT.";
        return SbomOf(package)["packages"]!.AsArray().Select(static p => (string)p!["name"]!)
            .Single(static name => name.StartsWith(Prefix, StringComparison.Ordinal))[Prefix.Length..];
    }

    private static JsonNode SbomOf(string package) => JsonNode.Parse(File.ReadAllText(Path.ChangeExtension(package, ".spdx.json")))!;

    private static CommandResult Dpkg(string root, params string[] args) =>
        Command.Run("dpkg", [$"--root={root}", "--force-not-root", "--log=/dev/null", .. args], new CommandOptions()).ShouldSucceed();

    private static CommandResult Build(params string[] args) =>
        Command.Run(Path.Combine(Ocirun.RepositoryRoot, "build.sh"), args, new CommandOptions { Timeout = TimeSpan.FromMinutes(2) })
        .ShouldSucceed();
}
