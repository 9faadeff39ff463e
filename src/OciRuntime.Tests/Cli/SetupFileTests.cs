using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>`ocirun setup`: what happens to the file. That the engines understand it is for <c>Clients/SetupTests</c>.</summary>
public sealed class SetupFileTests
{
    private const string Program = "/bin/sh";
    private const string Daemon = """
        {
            "log-driver": "none",   "storage-driver": "vfs",
            "runtimes": {
                "other": {"path": "/bin/true", "runtimeArgs": ["--x"]}
            },
            "default-runtime": "other",
            "labels": ["ä=1"]
        }

        """;

    private string _directory = "";

    private string Config => $"{_directory}/daemon.json";

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("setup");
    }

    [TearDown]
    public void End() => Cleaner.DeleteTree(_directory);

    [Test]
    public void Without_write_nothing_is_touched()
    {
        CommandResult shown = Run("docker", "--config", Config, "--binary", "/not/there").ShouldSucceed();
        shown.Json["runtimes"]!["ocirun"]!["path"]!.GetValue<string>().Should().Be("/not/there");
        shown.Stderr.Should().Contain(Config).And.Contain("systemctl restart docker");
        Directory.GetFileSystemEntries(_directory).Should().BeEmpty();
    }

    [Test]
    public void Its_own_path_is_the_default()
    {
        string name = JsonNode.Parse(Run("docker", "--config", Config).Stdout)!["runtimes"]!["ocirun"]!["path"]!.GetValue<string>();
        File.ResolveLinkTarget(Ocirun.Binary.Path, true)?.FullName.Should().Be(name);
        if (File.ResolveLinkTarget(Ocirun.Binary.Path, true) is null) name.Should().Be(Ocirun.Binary.Path);
    }

    [Test]
    public void Write_changes_what_it_must_once_and_remove_takes_it_back()
    {
        File.WriteAllText(Config, Daemon);
        File.SetUnixFileMode(Config, (UnixFileMode)0b110_100_000);
        Command.Run("chown", "1234:5678", Config).ShouldSucceed();
        Write("--default").ShouldSucceed().Stdout.Should().Contain(Config + ".ocirun-backup\n");
        File.ReadAllText(Config).Should()
            .Be(Daemon.Replace("[\"--x\"]}", "[\"--x\"]},\n        \"ocirun\": { \"path\": \"/bin/sh\" }")
            .Replace(": \"other\"", ": \"ocirun\""));
        File.ReadAllText(Config + ".ocirun-backup").Should().Be(Daemon);
        foreach (string file in (string[])[Config, Config + ".ocirun-backup"])
            Command.Run("stat", "-c", "%a %u %g", file).Text.Should().Be("640 1234 5678");

        string before = Command.Run("stat", "-c", "%i %z", Config).Text;
        Write("--default").ShouldSucceed().Stdout.Should().Contain("nothing was changed");
        Command.Run("stat", "-c", "%i %z", Config).Text.Should().Be(before);
        Directory.GetFiles(_directory).Should().HaveCount(2);

        Write("--remove").ShouldSucceed();
        File.ReadAllText(Config).Should().Be(Daemon, "the default of before, too");
        Write("--remove").ShouldSucceed().Stdout.Should().Contain("nothing was changed");
    }

    [Test]
    public void What_setup_made_alone_is_gone_after_remove()
    {
        Write("--default").ShouldSucceed();
        Write().ShouldSucceed();
        File.ReadAllText(Config).Should().NotContain("default-runtime");
        Write("--remove").ShouldSucceed().Stdout.Should().Contain("deleted");
        Directory.GetFiles(_directory).Should().Equal([Config + ".ocirun-backup"], "of a file that is replaced there is always one");
    }

    [TestCase("docker", "daemon.json", """{"runtimes":{"ocirun":{"path":"/bin/sh","runtimeArgs":["--systemd-cgroup","--debug"]}}}""")]
    [TestCase("docker", "daemon.json", """{"runtimes": {"ocirun": {"path": "/bin/sh"}}}""")]
    [TestCase("containerd", "config.toml", null)]
    public void What_somebody_has_written_stays_as_a_backup(string engine, string file, string? written)
    {
        string path = $"{_directory}/{file}", backup = path + ".ocirun-backup";
        string[] remove = [engine, "--config", path, "--remove", "--binary", Program];
        if (written is not null)
        {
            File.WriteAllText(path, written);
        }
        else
        {
            Run(engine, "--config", path, "--write", "--binary", Program).ShouldSucceed();
            written = File.ReadAllText(path).Replace("BinaryName", "NoPivotRoot = true\nBinaryName");
            File.WriteAllText(path, written);
        }
        Run(remove).ShouldSucceed().Stderr.Should().Contain("would be deleted, but for a backup");
        Run([.. remove, "--write"]).ShouldSucceed().Stdout.Should().Contain($"{path}: deleted; as it was before: {backup}\n");
        File.ReadAllText(backup).Should().Be(written);
        Directory.GetFiles(_directory).Should().Equal(backup);
    }

    /// <summary>Whatever options it was made with.</summary>
    [Test]
    public void What_setup_made_alone_needs_no_backup(
        [Values("docker", "containerd")] string engine, [Values("", "--default", "--shim", "--default --shim")] string options)
    {
        string program = $"{_directory}/program", config = $"{_directory}/config";
        foreach (string path in (string[])[program, $"{_directory}/containerd-shim-ocirun-v2"]) File.CreateSymbolicLink(path, Program);
        string[] line = [engine, "--config", config, "--write", "--binary", program];
        foreach (string[] globals in (string[][])[[], ["--systemd-cgroup"]])
        {
            Ocirun.Run([.. globals, "setup", .. line, .. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]).ShouldSucceed();
            Run([.. line, "--remove"]).ShouldSucceed().Stdout.Should().Contain($"{config}: deleted\n");
            Directory.GetFiles(_directory, "config*").Should().BeEmpty();
        }
    }

    [Test]
    public void Backups_are_never_overwritten()
    {
        File.WriteAllText(Config, Daemon);
        File.WriteAllText(Config + ".ocirun-backup", "{\"mine\": 1}");
        Write().ShouldSucceed();
        Write("--default").ShouldSucceed();
        File.ReadAllText(Config + ".ocirun-backup").Should().Be("{\"mine\": 1}");
        File.ReadAllText(Config + ".ocirun-backup.1").Should().Be(Daemon);
        File.ReadAllText(Config + ".ocirun-backup.2").Should().NotBe(File.ReadAllText(Config));
    }

    [Test]
    public void Another_entry_of_the_name_keeps_its_arguments()
    {
        File.WriteAllText(Config, """{"runtimes": {"mine": {"runtimeArgs": ["--debug"], "path": "/x"}}}""");
        Write("--name", "mine").ShouldSucceed();
        File.ReadAllText(Config).Should().Be("""{"runtimes": {"mine": {"runtimeArgs": ["--debug"], "path": "/bin/sh"}}}""");
    }

    /// <summary>dockerd refuses an entry that has settings of a runtime and of a shim.</summary>
    [Test]
    public void Shim_and_runtime_take_each_others_place()
    {
        string program = $"{_directory}/program", shim = $"{_directory}/containerd-shim-ocirun-v2";
        foreach (string path in (string[])[program, shim]) File.CreateSymbolicLink(path, Program);
        File.WriteAllText(Config, Runtimes($"{{\"path\": \"{program}\", \"runtimeArgs\": [\"--debug\"]}}"));
        Set("--shim").ShouldSucceed();
        string entry = $"{{ \"runtimeType\": \"{shim}\" }}";
        File.ReadAllText(Config).Should().Be(Runtimes(entry));
        File.WriteAllText(Config, Runtimes(entry.Replace(" }", ", \"options\": {} }")));
        Set("--shim").ShouldSucceed().Stdout.Should().Contain("nothing was changed");
        Set().ShouldSucceed();
        File.ReadAllText(Config).Should().Be(Runtimes($"{{ \"path\": \"{program}\" }}"));

        string Runtimes(string own) => $"{{\"runtimes\": {{\"ocirun\": {own}}}}}";

        CommandResult Set(params string[] options) => Run(["docker", "--config", Config, "--write", "--binary", program, .. options]);
    }

    [TestCase("{\"a\": 1,}", "is not JSON: line 1")]
    [TestCase("{\"a\": 1", "is not JSON: line 1")]
    [TestCase("[]", "is not a JSON object")]
    [TestCase("{\"a\": 1}\n{}", "is not JSON: line 2")]
    [TestCase("{\"runtimes\": []}", "/runtimes is not an object")]
    [TestCase("{\"default-runtime\": 1}", "/default-runtime is not a string")]
    [TestCase("{\"runtimes\": {}, \"runtimes\": {}}", "twice")]
    public void A_broken_file_stays_as_it_is(string content, string message)
    {
        File.WriteAllText(Config, content);
        Write("--default").ShouldFail(1, Config, message, "nothing was changed");
        File.ReadAllText(Config).Should().Be(content);
        Directory.GetFiles(_directory).Should().Equal(Config);
    }

    [Test]
    public void A_link_stays_and_what_it_points_to_changes()
    {
        string real = Directory.CreateDirectory($"{_directory}/real").FullName + "/file";
        File.WriteAllText(real, Daemon);
        File.CreateSymbolicLink(Config, "real/file");
        Write().ShouldSucceed().Stdout.Should().Contain(real + ".ocirun-backup");
        new FileInfo(Config).LinkTarget.Should().Be("real/file");
        File.ReadAllText(real).Should().Contain("ocirun");
        File.Delete(real);
        Write().ShouldFail(1, Config, "no such file or directory");
        File.Exists(real).Should().BeFalse("a link into nowhere says nothing about where a file is wanted");
    }

    [Test]
    public void A_relative_file_in_a_directory_that_is_gone()
    {
        string gone = Directory.CreateDirectory($"{_directory}/gone").FullName;
        Command.Run("sh", ["-c", $"rmdir {gone} && exec {Ocirun.Binary.Path} setup docker --config rel"],
            new CommandOptions { WorkingDirectory = gone })
            .ShouldFail(1, "find the working directory, where rel begins: no such file or directory (ENOENT)");
    }

    [Test]
    public void What_is_no_file_is_refused()
    {
        Command.Run("mkfifo", Config).ShouldSucceed();
        Write().ShouldFail(1, Config, "is not a regular file");
        Run("docker", "--config", _directory, "--write").ShouldFail(1, "is not a regular file");
    }

    [Test]
    public void A_file_that_cannot_be_written_leaves_nothing()
    {
        string small = Directory.CreateDirectory($"{_directory}/small").FullName;
        Command.Run("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=3", "tmpfs", small).ShouldSucceed();
        try
        {
            File.WriteAllText($"{small}/daemon.json", Daemon);
            Run("docker", "--config", $"{small}/daemon.json", "--write", "--binary", Program).ShouldFail(1, "no space left on device");
            Directory.GetFileSystemEntries(small).Should().Equal($"{small}/daemon.json");
            File.ReadAllText($"{small}/daemon.json").Should().Be(Daemon);
        }
        finally
        {
            Command.Run("umount", small).ShouldSucceed();
        }
    }

    [TestCase("podman", "containers.conf.d/50-ocirun.conf")]
    [TestCase("buildah", "containers.conf.d/50-ocirun.conf")]
    [TestCase("crio", "crio.conf.d/50-ocirun.conf")]
    [TestCase("kubernetes", "runtimeclass.yaml")]
    public void A_file_of_its_own_is_made_with_its_directory_and_nothing_else(string engine, string path)
    {
        path = $"{_directory}/{path}";
        Run(engine, "--config", path, "--write", "--binary", Program).ShouldSucceed();
        string written = File.ReadAllText(path);
        Run(engine, "--config", path, "--write", "--binary", Program).ShouldSucceed().Stdout.Should().Contain("nothing was changed");
        Run(engine, "--config", path, "--write", "--name", "other", "--binary", Program).ShouldSucceed();
        File.ReadAllText(path).Should().NotBe(written);
        // CRI-O would read a backup, too.
        Directory.GetFileSystemEntries(Path.GetDirectoryName(path)!).Should().Equal(path);
        Run(engine, "--config", path, "--write", "--remove").ShouldSucceed();
        File.Exists(path).Should().BeFalse();
        File.WriteAllText(path, "# mine\n");
        foreach (string option in (string[])["--remove", "--write"])
            Run(engine, "--config", path, "--write", option).ShouldFail(1, path, "was not written by ocirun setup");
        File.ReadAllText(path).Should().Be("# mine\n");
    }

    /// <summary>Where the engines of an ordinary user look.</summary>
    [TestCase("podman", "containers/containers.conf.d/50-ocirun.conf")]
    [TestCase("docker", "docker/daemon.json")]
    public void User_has_files_of_his_own(string engine, string path)
    {
        Command.Run("chown", "1234:1234", _directory).ShouldSucceed();
        foreach ((string variable, string value, string below) in (ReadOnlySpan<(string, string, string)>)[("HOME", _directory, ".config"),
            ("XDG_CONFIG_HOME", $"{_directory}/xdg", "xdg")])
        {
            CommandResult result =
                Command.Run("setpriv",
                ["--reuid=1234", "--regid=1234", "--clear-groups", "env", "--unset=XDG_CONFIG_HOME", $"{variable}={value}", Copy(), "setup",
                engine, "--user", "--write"], new CommandOptions());
            result.ShouldSucceed().Stdout.Should().Contain($"{_directory}/{below}/{path}");
            File.ReadAllText($"{_directory}/{below}/{path}").Should().Contain(Copy());
        }
    }

    [TestCase("--user", "--user: root's engines read the files in /etc")]
    [TestCase("--binary relative", "--binary: must be an absolute path, not")]
    [TestCase("--binary /not/there", "--binary: /not/there is not a program")]
    [TestCase("--binary /etc/passwd", "--binary: /etc/passwd is not a program")]
    [TestCase("--binary /", "--binary: / is not a program")]
    [TestCase("--name runc", "Docker keeps the name")]
    [TestCase("--name a/b", "--name: a name is made of")]
    [TestCase("--name -x", "--name: a name is made of")]
    [TestCase("--remove --default", "contradict each other")]
    [TestCase("--shim", "--shim: /bin/containerd-shim-ocirun-v2 is not a program; make it: ln -s sh /bin/containerd-shim-ocirun-v2")]
    public void Mistakes(string options, string message)
    {
        Write(options.Split(' ')).ShouldFail(1, message);
        Directory.GetFileSystemEntries(_directory).Should().BeEmpty();
    }

    [Test]
    public void Engines_that_it_does_not_know_or_that_cannot_be_told()
    {
        Run("nope").ShouldFail(1, "unknown engine \"nope\": expected podman, buildah, docker, containerd, crio or kubernetes");
        Run("podman", "--shim").ShouldFail(1, "--shim is for containerd and docker");
        Run("kubernetes", "--write").ShouldFail(1, "--write: this engine reads no file by itself");
        Run("kubernetes", "--default").ShouldFail(1, "a RuntimeClass is what a pod asks for");
        Run("kubernetes", "--name", "A_b").ShouldFail(1, "Kubernetes takes a-z");
    }

    private static CommandResult Run(params string[] args) => Ocirun.Run(["setup", .. args]);

    private CommandResult Write(params string[] options) => Run(["docker", "--config", Config, "--write", "--binary", Program, .. options]);

    /// <summary>One that everybody may run.</summary>
    private string Copy()
    {
        string copy = $"{_directory}/ocirun";
        if (!File.Exists(copy)) File.Copy(Ocirun.Binary.Path, copy);
        return copy;
    }
}
