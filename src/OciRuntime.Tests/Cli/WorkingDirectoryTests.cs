using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>Paths of the command line that lead nowhere, or are no text: what the message says is so.</summary>
public sealed class WorkingDirectoryTests
{
    private string _directory = "";

    [SetUp]
    public void Begin()
    {
        Requires.OcirunItself();
        _directory = TestRun.NewDirectory("working");
    }

    [TearDown]
    public void End() => Command.Run("rm", "-r", _directory).ShouldSucceed();

    [TestCase("--root rel list", "--root: find the working directory, where rel begins: no such file or directory (ENOENT)")]
    [TestCase("--root rel run x", "--root: find the working directory, where rel begins: no such file or directory (ENOENT)")]
    [TestCase("explain", "config.json not found")]
    [TestCase("spec", "no such file or directory")]
    public void One_that_has_been_removed(string line, string message)
    {
        string log = $"{_directory}/log", gone = Directory.CreateDirectory($"{_directory}/gone").FullName;
        Shell($"rmdir {gone} && exec {Ocirun.Binary.Path} --log {log} {line}", gone).ShouldFail(1);
        File.ReadAllText(log).Should().Contain(message).And.NotContain("bug in ocirun");
    }

    /// <summary>With the bytes replaced it would be the name of something else.</summary>
    [TestCase("explain -b {0}")]
    [TestCase("explain --bundle={0}")]
    [TestCase("exec x sh -c {0}")]
    public void A_name_that_is_no_text(string line)
    {
        const string Octal = "b\\377";
        string name = $"\"$(printf '{_directory}/{Octal}')\"", log = $"{_directory}/log";
        Shell($"mkdir {name} && exec {Ocirun.Binary.Path} --log {log} {string.Format(line, name)}", _directory).ShouldFail(1);
        File.ReadAllText(log).Should().Contain($"{_directory}/b\ufffd").And.Contain("is not valid UTF-8");
        // It may as well be meant.
        Shell($"exec {Ocirun.Binary.Path} explain -b {_directory}/c\ufffd", _directory).ShouldFail(1, "no such file or directory");
    }

    [TestCase("explain", "bundle .: invalid or incomplete multibyte or wide character (EILSEQ)")]
    [TestCase("--root rel list",
        "--root: find the working directory, where rel begins: invalid or incomplete multibyte or wide character (EILSEQ)")]
    public void One_whose_name_is_no_text(string line, string message) =>
        Shell($"mkdir \"$(printf 'b\\377')\" && cd b* && exec {Ocirun.Binary.Path} {line}", _directory).ShouldFail(1, message);

    private static CommandResult Shell(string script, string directory) =>
        Command.Run("sh", ["-c", script], new CommandOptions { WorkingDirectory = directory });
}
