using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>--pid-file: clients parse it strictly and take its presence for success.</summary>
public sealed class PidFileTests
{
    [TestCase("create")]
    [TestCase("run")]
    public void It_holds_the_pid_and_nothing_else_and_replaces_an_old_one(string verb)
    {
        string directory = TestRun.NewDirectory("pids");
        string path = Path.Combine(directory, "pid");
        File.WriteAllText(path, "an old and longer content\n");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 100"));
        (verb == "create" ? container.Create("--pid-file", path) : container.Run("--detach", "--pid-file", path)).ShouldSucceed();
        File.ReadAllText(path).Should().Be($"{container.InitPid}");
        Directory.GetFiles(directory).Should().Equal(path);
        Directory.Delete(directory, recursive: true);
    }

    [Test]
    public void A_relative_path_is_relative_to_the_callers_directory()
    {
        string directory = TestRun.NewDirectory("pids");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 100")) { Options = new() { WorkingDirectory = directory } };
        container.Create("--pid-file", "pid").ShouldSucceed();
        File.ReadAllText(Path.Combine(directory, "pid")).Should().Be($"{container.InitPid}");
        Directory.Delete(directory, recursive: true);
    }

    [TestCase("create", "createRuntime")]
    [TestCase("create", "createContainer")]
    [TestCase("run", "startContainer")]
    [TestCase("run", "poststart")]
    public void A_failure_leaves_none_and_an_old_one_alone(string verb, string kind)
    {
        using HookBundle hooks = new();
        hooks.Add(kind, "exit 1");
        string directory = TestRun.NewDirectory("pids");
        string fresh = Path.Combine(directory, "fresh"), old = Path.Combine(directory, "old");
        File.WriteAllText(old, "old");
        using TestContainer container = new(hooks.Bundle);
        foreach (string path in (string[])[fresh, old])
            (verb == "create" ? container.Create("--pid-file", path) : container.Run("--pid-file", path)).ShouldFail(1);
        Directory.GetFiles(directory).Should().Equal(old);
        File.ReadAllText(old).Should().Be("old");
        Directory.Delete(directory, recursive: true);
    }

    [TestCase("create")]
    [TestCase("run")]
    public void One_that_cannot_be_written_fails_the_launch(string verb)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("sleep 100").WithCgroup());
        (verb == "create" ? container.Create("--pid-file", "/no/such/pid")
            : container.Run("--pid-file", "/no/such/pid")).ShouldFail(1, "--pid-file /no/such/pid: no such file or directory (ENOENT)");
        container.State().ShouldFail(1, "container does not exist");
        CgroupHost.Find(bundle.CgroupsPath!).Should().BeEmpty();
    }
}
