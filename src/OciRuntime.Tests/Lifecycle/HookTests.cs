using System.Text.Json.Nodes;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>
/// What hooks are given: order, state, environment, namespaces (runtime-spec 1.3.0: runtime.md "Lifecycle", config.md "POSIX-platform
/// Hooks").
/// </summary>
public sealed class HookTests
{
    [Test]
    public void All_six_run_in_the_order_of_the_specification()
    {
        using HookBundle hooks = new("echo program >> /log/order; exec sleep 100");
        foreach (string kind in HookBundle.AllKinds)
            hooks.Add(kind, $"echo {kind} 1 >> $LOG/order").Add(kind, $"echo {kind} 2 >> $LOG/order");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldSucceed();
        hooks.Read("order").Should().Be("prestart 1\nprestart 2\ncreateRuntime 1\ncreateRuntime 2\ncreateContainer 1\ncreateContainer 2\n");
        container.Start().ShouldSucceed();
        Eventually.True(() => hooks.Read("order")!.Contains("program", StringComparison.Ordinal), "the program ran");
        string[] started = hooks.Read("order")!.Split('\n', StringSplitOptions.RemoveEmptyEntries)[6..];
        started[..2].Should().Equal("startContainer 1", "startContainer 2");
        started[2..].Should().BeEquivalentTo("program", "poststart 1", "poststart 2");
        container.Delete("--force").ShouldSucceed();
        hooks.Read("order").Should().EndWith("poststop 1\npoststop 2\n");
    }

    [Test]
    public void State_on_stdin_fits_the_moment()
    {
        using HookBundle hooks = new();
        hooks.Bundle.Annotations["org.example.key"] = "wert \u00e4 <&>";
        foreach (string kind in HookBundle.AllKinds) hooks.Add(kind, $"cat > $LOG/{kind}");
        using TestContainer container = new TestContainer(hooks.Bundle).Started();
        int pid = container.InitPid;
        container.Delete("--force").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds)
        {
            JsonObject state = JsonNode.Parse(hooks.Read(kind)!)!.AsObject();
            state.Select(member => member.Key).Should().BeSubsetOf(["ociVersion", "id", "status", "pid", "bundle", "annotations"], kind);
            state["ociVersion"]!.GetValue<string>().Should().Be("1.3.0");
            state["id"]!.GetValue<string>().Should().Be(container.Id);
            state["bundle"]!.GetValue<string>().Should().Be(hooks.Bundle.Directory);
            state["annotations"]!["org.example.key"]!.GetValue<string>().Should().Be("wert \u00e4 <&>");
            (string status, int expected) = kind switch
            {
                "prestart" or "createRuntime" => ("creating", pid),
                // In the container's pid namespace, so the pid as seen there (runtime.md, "State").
                "createContainer" => ("creating", 1),
                "startContainer" => ("created", 1),
                "poststart" => ("running", pid),
                _ => ("stopped", 0),
            };
            state["status"]!.GetValue<string>().Should().Be(status, kind);
            (state["pid"]?.GetValue<int>() ?? 0).Should().Be(expected, kind);
        }
    }

    [Test]
    public void Environment_and_arguments_are_the_hooks_own()
    {
        using HookBundle hooks = new();
        foreach (string kind in HookBundle.AllKinds)
        {
            hooks.Bundle.AddHook(kind, "/bin/sh", "-c",
                $"echo $0 > {hooks.LogOf(kind)}/{kind}.name; exec /bin/cat /proc/self/environ > {hooks.LogOf(kind)}/{kind}");
            JsonObject hook = hooks.Bundle.Config["hooks"]![kind]![0]!.AsObject();
            // Busybox goes by this name.
            hook["args"]![0] = kind == "startContainer" ? "ash" : "another-name";
            hook["env"] = TestBundle.Strings("ONLY=this", "PATH=/bin", "PWD=/");
        }
        using TestContainer container =
            new(hooks.Bundle) { Options = new() { Env = new Dictionary<string, string?> { ["CALLER"] = "x" } } };
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        container.Delete("--force").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds)
        {
            hooks.Read($"{kind}.name").Should().Be(kind == "startContainer" ? "ash\n" : "another-name\n", kind);
            // Shells add these themselves; the rest would be inherited.
            hooks.Read(kind)!.Split('\0', StringSplitOptions.RemoveEmptyEntries).Should().Contain("ONLY=this")
                .And.OnlyContain(entry => entry.StartsWith("ONLY=") || entry == "PATH=/bin" || entry.StartsWith("PWD=")
                || entry.StartsWith("OLDPWD=") || entry.StartsWith("SHLVL=") || entry.StartsWith("_="), kind);
        }
    }

    [Test]
    public void Each_runs_in_its_namespaces_and_directory()
    {
        using HookBundle hooks = new();
        foreach (string kind in HookBundle.AllKinds)
        {
            hooks.Add(kind,
                $"for n in mnt pid net uts ipc; do readlink /proc/self/ns/$n; done > $LOG/{kind}; pwd > "
                + $"$LOG/{kind}.pwd; ls -d /etc/debian_version /bin/busybox > $LOG/{kind}.ls 2>/dev/null; true");
        }
        using TestContainer container = new TestContainer(hooks.Bundle).Started();
        string[] names = ["mnt", "pid", "net", "uts", "ipc"];
        string host = string.Concat(names.Select(name => $"{name}:[{ProcessView.HostNamespaceInode(name)}]\n"));
        string inside = string.Concat(names.Select(name => $"{name}:[{container.NamespaceInode(name)}]\n"));
        container.Delete("--force").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds)
            hooks.Read(kind).Should().Be(kind is "createContainer" or "startContainer" ? inside : host, kind);
        hooks.Read("createRuntime.pwd").Should().Be(hooks.Bundle.Directory + "\n");
        hooks.Read("createContainer.pwd").Should().Be(hooks.Bundle.Rootfs + "\n");
        hooks.Read("createContainer.ls").Should().Contain("debian_version", "its path is the host's");
        hooks.Read("startContainer.ls").Should().NotContain("debian_version");
    }

    [Test]
    public void In_a_user_namespace_those_in_the_container_are_its_root()
    {
        using HookBundle hooks = new();
        hooks.Bundle.WithUserNamespace();
        Directory.CreateDirectory(hooks.Bundle.InRootfs("log"));
        File.SetUnixFileMode(hooks.Log, (UnixFileMode)0b111_111_111);
        hooks.Add("createContainer", "id -u > $LOG/create; echo $$ >> $LOG/create").Add("startContainer", "id -u > $LOG/start");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldSucceed();
        container.Start().ShouldSucceed();
        hooks.Read("create").Should().MatchRegex("^0\n[0-9]\n$");
        hooks.Read("start").Should().Be("0\n");
    }

    /// <summary>
    /// Docker's network set-up: the daemon's own binary by way of /proc, which enters the namespace of the pid in the state.
    /// </summary>
    [Test]
    public void Prestart_hook_configures_the_network_namespace()
    {
        using RunningCommand daemon = Command.Start("/bin/busybox", "sleep", "100");
        using HookBundle hooks = new("ip addr show lo");
        hooks.Bundle.AddHook("prestart", $"/proc/{daemon.Pid}/exe", "-c",
            "pid=$(sed -n 's/.*\"pid\":\\([0-9]*\\).*/\\1/p'); exec /bin/busybox nsenter -t $pid -n /bin/busybox ip addr add "
            + "10.99.88.77/32 dev lo");
        JsonObject hook = hooks.Bundle.Config["hooks"]!["prestart"]![0]!.AsObject();
        hook["args"]![0] = "sh";
        hook["env"] = TestBundle.Strings("PATH=/usr/bin:/bin");
        using TestContainer container = new(hooks.Bundle);
        container.Run().ShouldSucceed().Stdout.Should().Contain("10.99.88.77/32");
    }

    [Test]
    public void A_large_state_arrives_whole_and_may_be_left_unread()
    {
        using HookBundle hooks = new();
        hooks.Bundle.Annotations["large"] = new string('x', 300_000);
        foreach (string kind in HookBundle.AllKinds) hooks.Add(kind, "exit 0").Add(kind, $"wc -c > $LOG/{kind}");
        using TestContainer container = new TestContainer(hooks.Bundle).Started();
        container.Delete("--force").ShouldSucceed();
        foreach (string kind in HookBundle.AllKinds) int.Parse(hooks.Read(kind)!).Should().BeGreaterThan(300_000, kind);
    }

    [Test]
    public void Much_output_neither_blocks_nor_reaches_the_container()
    {
        using HookBundle hooks = new("echo program");
        foreach (string kind in HookBundle.AllKinds) hooks.Add(kind, "yes | head -c 1000000; yes | head -c 1000000 >&2");
        using TestContainer container = new(hooks.Bundle);
        CommandResult result = container.Run().ShouldSucceed();
        result.Stdout.Should().Be("program\n");
        result.Stderr.Should().BeEmpty();
    }

    [MeasuresTime]
    [TestCase("createRuntime")]
    [TestCase("createContainer")]
    [TestCase("startContainer")]
    [TestCase("poststart")]
    public void A_daemon_that_keeps_the_output_is_not_waited_for(string kind)
    {
        using HookBundle hooks = new("exec sleep 100");
        hooks.Add(kind, "sleep 60 & echo $! > $LOG/daemon");
        using TestContainer container = new(hooks.Bundle);
        container.Create().ShouldSucceed().Duration.Should().BeLessThan(TimeSpan.FromSeconds(5));
        container.Start().ShouldSucceed().Duration.Should().BeLessThan(TimeSpan.FromSeconds(5));
        int daemon = hooks.ReadPid("daemon");
        if (kind is "createRuntime" or "poststart")
        {
            ProcessTree.IsAlive(daemon).Should().BeTrue();
            _ = Syscall.kill(daemon, Signum.SIGKILL);
        }
    }

    /// <summary>A shell's `trap '' CHLD` survives execve, and then the kernel keeps no exit status.</summary>
    [TestCase("false", 1)]
    [TestCase("true", 0)]
    public void A_caller_that_ignores_SIGCHLD_changes_nothing(string command, int exitCode)
    {
        using HookBundle hooks = new("exit 0");
        hooks.Add("createRuntime", command);
        hooks.Bundle.Save();
        using TestContainer container = new(hooks.Bundle);
        Command.Run("env", "--ignore-signal=CHLD", Ocirun.Binary.Path, "--root", container.StateRoot, "run", "--bundle",
            hooks.Bundle.Directory, container.Id)
            .ExitCode.Should().Be(exitCode);
    }
}
