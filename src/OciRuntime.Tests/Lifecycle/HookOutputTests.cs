using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>crun's annotations run.oci.hooks.stdout and run.oci.hooks.stderr.</summary>
public sealed class HookOutputTests
{
    private const string Stdout = "run.oci.hooks.stdout", Stderr = "run.oci.hooks.stderr";

    private HookBundle _hooks = null!;

    [SetUp]
    public void SetUp() => _hooks = new HookBundle("exec sleep 100");

    [TearDown]
    public void TearDown() => _hooks.Dispose();

    private void Redirect(string annotation, string file) => _hooks.Bundle.Annotations[annotation] = Path.Combine(_hooks.Log, file);

    [Test]
    public void Output_of_every_kind_is_appended()
    {
        Redirect(Stdout, "out");
        Redirect(Stderr, "err");
        File.WriteAllText(Path.Combine(_hooks.Log, "out"), "before\n");
        foreach (string kind in HookBundle.AllKinds) _hooks.Add(kind, $"echo {kind}; echo {kind} complains >&2");
        using (TestContainer container = new TestContainer(_hooks.Bundle).Started())
        {
            container.Init.Descriptors.Should().OnlyContain(fd => fd.Key <= 2, "the program gets none of it");
            container.Delete("--force").ShouldSucceed();
        }
        _hooks.Read("out").Should().Be("before\n" + string.Concat(HookBundle.AllKinds.Select(kind => kind + "\n")));
        _hooks.Read("err").Should().Be(string.Concat(HookBundle.AllKinds.Select(kind => $"{kind} complains\n")));
        File.GetUnixFileMode(Path.Combine(_hooks.Log, "err")).Should().Be(UnixFileMode.UserRead | UnixFileMode.UserWrite);
    }

    [TestCase("createRuntime")]
    [TestCase("createContainer")]
    public void What_is_not_redirected_is_still_in_the_error(string kind)
    {
        Redirect(Stdout, "out");
        _hooks.Add(kind, "echo to the file; echo to the error >&2; exit 3");
        string error = Config.Observe.Refused(_hooks.Bundle);
        error.Should().Contain("exit status 3, output: to the error").And.NotContain("to the file");
        _hooks.Read("out").Should().Be("to the file\n");
    }

    [Test]
    public void The_runtimes_own_output_can_be_meant()
    {
        _hooks.Bundle.Annotations[Stdout] = "/dev/stdout";
        _hooks.Bundle.Annotations[Stderr] = "/dev/stderr";
        _hooks.Add("createRuntime", "echo out; echo err >&2").Add("createContainer", "echo out; echo err >&2");
        _hooks.Bundle.Args("true");
        using TestContainer container = new(_hooks.Bundle);
        CommandResult run = container.Run().ShouldSucceed();
        (run.Stdout, run.Stderr).Should().Be(("out\nout\n", "err\nerr\n"));
    }

    [Test]
    public void A_link_is_not_followed()
    {
        string target = Path.Combine(_hooks.Log, "target");
        File.WriteAllText(target, "");
        File.CreateSymbolicLink(Path.Combine(_hooks.Log, "link"), target);
        Redirect(Stdout, "link");
        _hooks.Add("createRuntime", "echo x");
        Config.Observe.Refused(_hooks.Bundle).Should()
            .Contain($"/annotations/run.oci.hooks.stdout: open {_hooks.Log}/link: too many levels of symbolic links (ELOOP)");
        File.ReadAllText(target).Should().BeEmpty();
    }

    /// <summary>Opening one for writing waits for a reader; a launch must not.</summary>
    [Test]
    public void A_pipe_that_nobody_reads_is_an_error()
    {
        Command.Run("mkfifo", Path.Combine(_hooks.Log, "pipe")).ShouldSucceed();
        Redirect(Stderr, "pipe");
        _hooks.Add("createContainer", "echo x");
        Config.Observe.Refused(_hooks.Bundle).Should().Contain("/annotations/run.oci.hooks.stderr: open ").And.Contain("(ENXIO)");
    }

    [Test]
    public void Poststop_hooks_run_even_if_there_is_no_file_for_their_output()
    {
        string directory = Directory.CreateDirectory(Path.Combine(_hooks.Log, "gone")).FullName;
        Redirect(Stdout, "gone/out");
        _hooks.Add("poststop", "touch $LOG/ran");
        using TestContainer container = new TestContainer(_hooks.Bundle).Started();
        Directory.Delete(directory, recursive: true);
        container.Delete("--force").ShouldSucceed().Stderr.Should().Contain("run.oci.hooks.stdout");
        _hooks.Read("ran").Should().NotBeNull();
    }
}
