using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>
/// --preserve-fds and LISTEN_FDS with closed descriptors among them, as Podman's --preserve-fd=9,40 makes them: the open ones arrive, and
/// nothing of the runtime's ever lies between them (CVE-2024-21626).
/// </summary>
public sealed class PreservedGapTests
{
    private const string List = "ls -l /proc/self/fd | sed -n 's/.* \\([0-9]*\\) -> .*/\\1/p' | sort -n | tr '\\n' ' ' | sed 's/ $//'";

    /// <summary>The verb, and what precedes it, for a shell that has opened the descriptors.</summary>
    private static string Line(TestContainer container, string verb, string more = "") => verb switch
    {
        "exec" => $"{Ocirun.Binary.Path} --root {container.StateRoot} exec {more} {container.Id} sh -c '{Inside}'",
        _ => $"{Ocirun.Binary.Path} --root {container.StateRoot} {verb} {more} --bundle {container.Bundle.Save().Directory} {container.Id}",
    };

    private static string Inside => $"cat <&9; {List.Replace("'", "'\\''")}";

    private static CommandResult Shell(string script) => Command.Run("bash", ["-c", script], new CommandOptions());

    private static string Open(string file) => $"exec 9<{file}; ";

    [TestCase("run", 7)]
    [TestCase("run", 38)]
    [TestCase("run", 100_000)]
    [TestCase("run", int.MaxValue)]
    [TestCase("exec", 7)]
    [TestCase("exec", 38)]
    public void The_open_ones_arrive_and_no_other(string verb, int count)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.WriteFile("/text", "nine\n"));
        if (verb == "exec") container.Bundle.Script("exec sleep 100");
        else bundle.Script($"cat <&9; {List}");
        if (verb == "exec") container.Started();
        string shell = Open(bundle.InRootfs("text")) + "exec " + Line(container, verb, $"--preserve-fds {count}");
        Shell(shell).ShouldSucceed().Text.Should().Be("nine\n0 1 2 9");
    }

    /// <summary>Together they are more than an int: what is open is kept all the same.</summary>
    [Test]
    public void There_is_no_number_that_is_too_large_beside_those_of_socket_activation()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.WriteFile("/text", "nine\n").Script($"cat <&9; {List}"));
        string run = "export LISTEN_FDS=1 LISTEN_PID=$$; exec " + Line(container, "run", $"--preserve-fds {int.MaxValue}");
        Shell(Open(bundle.InRootfs("text")) + run).ShouldSucceed().Text.Should().Be("nine\n0 1 2 9");
    }

    [Test]
    public void None_of_them_need_be_open([Values("run", "exec")] string verb)
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script(verb == "run" ? List : "exec sleep 100"));
        if (verb == "exec")
        {
            container.Started();
            container.ExecWith(["--preserve-fds", "5"], "sh", "-c", List).ShouldSucceed().Text.Should().Be("0 1 2");
        }
        else
        {
            container.Run("--preserve-fds", "5").ShouldSucceed().Text.Should().Be("0 1 2");
        }
    }

    /// <summary>
    /// While it waits, and at every moment before: init holds a place in each gap, and never the lock, a cgroup or the state directory.
    /// </summary>
    [Test]
    public void A_created_container_has_nothing_of_the_runtime_in_the_gaps()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.WriteFile("/text", "nine\n").WithCgroup().Script("cat <&9; exec sleep 100"));
        Shell(Open(bundle.InRootfs("text")) + "exec 0</dev/null >/dev/null 2>&1; exec " + Line(container, "create", "--preserve-fds 38"))
            .ShouldSucceed();
        IReadOnlyDictionary<int, string> open = container.Init.Descriptors;
        open[9].Should().EndWith("/text");
        open.Where(fd => fd.Key is >= 3 and < 9).Select(fd => fd.Value).Should()
            .HaveCount(6).And.OnlyContain(target => target == "/dev/null");
        open.Keys.Where(fd => fd > 9).Should().ContainSingle("start connects to it");
        container.Start().ShouldSucceed();
        Eventually.True(() => container.Init.Descriptors.Keys.Order().SequenceEqual([0, 1, 2, 9]), "the program has no other");
    }

    /// <summary>A filter that is loaded early has everything made close-on-exec twice.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public void With_a_seccomp_filter(bool noNewPrivileges)
    {
        using TestBundle bundle = new();
        bundle.WriteFile("/text", "nine\n").Script($"cat <&9; {List}");
        bundle.Process["noNewPrivileges"] = noNewPrivileges;
        bundle.Linux["seccomp"] =
            System.Text.Json.Nodes.JsonNode.Parse(
            """{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["vhangup"],"action":"SCMP_ACT_ERRNO"}]}""");
        using TestContainer container = new(bundle);
        Shell(Open(bundle.InRootfs("text")) + "exec " + Line(container, "run", "--preserve-fds 10")).ShouldSucceed().Text.Should()
            .Be("nine\n0 1 2 9");
    }

    [Test]
    public void Hooks_get_none_of_them([Values("prestart", "createContainer", "startContainer", "poststart")] string kind)
    {
        using HookBundle hooks = new("cat <&9");
        hooks.Add(kind, $"{List} > $LOG/fds");
        hooks.Bundle.WriteFile("/text", "nine\n");
        using TestContainer container = new(hooks.Bundle);
        Shell(Open(hooks.Bundle.InRootfs("text")) + "exec " + Line(container, "run", "--preserve-fds 10"))
            .ShouldSucceed().Text.Should().Be("nine");
        hooks.Read("fds")!.Trim().Should().BeOneOf("0 1 2", "0 1 2 3");
    }

    [Test]
    public void Socket_activation_with_a_gap()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.WriteFile("/text", "four\n").Script($"echo $LISTEN_FDS $LISTEN_PID; cat <&4; {List}"));
        Shell($"exec 4<{bundle.InRootfs("text")} 9<{bundle.InRootfs("text")}; export LISTEN_FDS=3 LISTEN_PID=$$; exec "
            + Line(container, "run", "--preserve-fds 10"))
            .ShouldSucceed().Text.Should().Be("3 1\nfour\n0 1 2 4 9");
    }

    [Test]
    public void A_negative_number_is_an_error()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle);
        container.Run("--preserve-fds", "-1").ShouldFail(1, "--preserve-fds");
    }
}
