using System.Text.RegularExpressions;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// A container is made for a pid namespace in which somebody with CAP_SYS_PTRACE waits: the second one of a pod. Whatever of the runtime's
/// he sees there has neither the host's tree nor a right that the program does not have, nor anything of the caller's.
/// </summary>
[LeavesNothing]
public sealed class PidNamespacePeerTests
{
    private const int Rounds = 12;
    private const ulong CapSysAdmin = 1UL << 21;

    // Of DefaultConfig.
    private const ulong ProgramsCapabilities = 0x20000420;

    private static readonly Lazy<string> Program = new(() => Probe.Compile("Security/peer.c"));

    private string _canary = null!, _secret = null!;
    private TestBundle _peers = null!;
    private TestContainer _peer = null!;

    private void Begin(bool userNamespace)
    {
        _canary = TestRun.NewPath("canary");
        File.WriteAllText(_canary, "of the host\n");
        File.SetUnixFileMode(_canary, (UnixFileMode)0b110_100_100);
        _secret = Guid.NewGuid().ToString("N");
        _peers = new TestBundle().Capabilities("CAP_SYS_PTRACE");
        if (userNamespace) _peers.WithUserNamespace();
        Libc.Check(Syscall.link(Program.Value, _peers.InRootfs("/bin/peer")), "link peer");
        _peer = new TestContainer(_peers.Args("/bin/peer", "peer", _canary, _secret)).Started();
        _peer.WaitOutput("ready");
    }

    [TearDown]
    public void End()
    {
        // A test that fails before it has them has another reason to tell.
        _peer?.Dispose();
        _peers?.Dispose();
        File.Delete(_canary);
    }

    /// <param name="userNamespace">The pod has a user namespace of its own.</param>
    /// <param name="oldKernel">The kernel is older than 6.18: procfs cannot be mounted for a pid namespace from outside.</param>
    [Test]
    public void Gets_nothing_of_the_host([Values] bool userNamespace, [Values] bool oldKernel)
    {
        Begin(userNamespace);
        Control(userNamespace);
        string[] before = _peer.Output.Split('\n');
        RuntimeBinary runtime = oldKernel ? Ocirun.Binary with { Launcher = [Program.Value, "before-6.18"] } : Ocirun.Binary;
        for (int i = 0; i < Rounds; i++)
        {
            using TestBundle bundle = Victim(userNamespace);
            using TestContainer victim = new(bundle, runtime) { Options = WithSecret() };
            victim.Run().ShouldSucceed().Stdout.Should().MatchRegex(@"^(\d+)\n(.*\n)*\1\nend\n$", "its /proc is that of the pid namespace");
        }
        string[] lines = [.. _peer.Output.Split('\n').Skip(before.Length - 1).Distinct()];
        TestContext.Out.WriteLine(string.Join('\n', lines));
        lines.Should().Contain("seen", "the peer is fast enough to meet one at least once in {0}", Rounds);
        lines.Should().NotContain(static line => line.StartsWith("FOUND", StringComparison.Ordinal));
        foreach (string line in lines.Where(static line => line.StartsWith("fd ", StringComparison.Ordinal)))
            line.Should().MatchRegex("^fd (socket:|pipe:|anon_inode:|/$)", "no way to the host may be open");
        foreach (Match rights in lines.Select(static line => Regex.Match(line, "^rights (.*) filters (.)$"))
            .Where(static match => match.Success))
        {
            ulong has = Convert.ToUInt64(rights.Groups[1].Value, 16);
            // One is the old kernel's.
            if (oldKernel && has == CapSysAdmin)
                rights.Groups[2].Value.Should().Be("2", "one who can open a procfs context there can do nothing else");
            else (has & ~ProgramsCapabilities).Should().Be(0UL, rights.Value);
        }
    }

    /// <summary>
    /// A new user namespace has no power over the pid namespace, so it is joined before there is one; hooks that still have the host's tree
    /// are not born there.
    /// </summary>
    [Test]
    public void Gets_no_hook_for_a_new_user_namespace_either()
    {
        Begin(userNamespace: false);
        Control(userNamespace: false);
        for (int i = 0; i < Rounds; i++)
        {
            using TestBundle bundle = Victim(userNamespace: false).WithUserNamespace().Args("true");
            // A procfs of that pid namespace is not its root's to mount.
            bundle.RemoveMount("/proc");
            using TestContainer victim = new(bundle) { Options = WithSecret() };
            victim.Run().ShouldSucceed();
        }
        string[] found = [.. _peer.Output.Split("seen\n", 2)[1].Split('\n')
            .Where(static line => line.StartsWith("FOUND", StringComparison.Ordinal))];
        found.Should().BeEmpty();
        using TestBundle failing = Victim(userNamespace: false).WithUserNamespace().Args("true");
        failing.RemoveMount("/proc");
        failing.AddHook("createContainer", "/bin/sh", "-c",
            "id -u; pwd; for kind in user mnt pid; do readlink /proc/self/ns/$kind; done; exit 3");
        using TestContainer other = new(failing);
        CommandResult result = other.Run()
            .ShouldFail(1, "error running createContainer hook #1: /bin/sh: exit status 3, output: 0\\n",
            $"pid:[{ProcessView.HostNamespaceInode("pid")}]");
        result.Stderr.Should()
            .NotContain($"user:[{ProcessView.HostNamespaceInode("user")}]").And.NotContain(
            $"mnt:[{ProcessView.HostNamespaceInode("mnt")}]");
        failing.Config["hooks"]!["createContainer"]![1]!["path"] = "/none-such";
        other.Run().ShouldFail(1, "error running createContainer hook #1: /none-such: execute: no such file or directory (ENOENT)");
    }

    /// <summary>Somebody who goes in as a runtime must not: the peer gets at everything.</summary>
    private void Control(bool userNamespace)
    {
        string control = Path.Combine(TestRun.NewDirectory("control"), "ocirun-control");
        File.Copy(_peers.InRootfs("/bin/busybox"), control);
        string[] user = userNamespace ? ["--user", "--setuid", "0", "--setgid", "0"] : [];
        using RunningCommand command =
            Command.Start(Requires.Tool("nsenter"),
            ["--target", $"{_peer.InitPid}", "--pid", .. user, "/bin/bash", "-c", $"exec -a sleep {control} 20"], WithSecret());
        string[] expected = ["FOUND root", "FOUND cwd", "FOUND environ", "FOUND mem"];
        Eventually.True(() => expected.All(line => _peer.Output.Contains(line, StringComparison.Ordinal)), "the peer works");
        foreach (int pid in ProcessTree.ChildrenOf(command.Pid)) Libc.Check(Libc.kill(pid, Libc.SIGKILL), "kill");
        command.Wait();
        Eventually.True(() => _peer.Output.EndsWith("seen\n", StringComparison.Ordinal), "the peer is done with it");
        Cleaner.DeleteTree(Path.GetDirectoryName(control)!);
    }

    private CommandOptions WithSecret() => new() { Env = new Dictionary<string, string?> { ["OCIRUN_SECRET"] = _secret } };

    /// <summary>One that takes its time on the host's side.</summary>
    private TestBundle Victim(bool userNamespace)
    {
        TestBundle bundle = new();
        bundle.AddNamespace("pid", $"/proc/{_peer.InitPid}/ns/pid").Script("echo $$; ls /proc | grep -x $$; echo end");
        if (userNamespace) bundle.AddNamespace("user", $"/proc/{_peer.InitPid}/ns/user");
        return bundle.AddHook("createRuntime", "/bin/sleep", "0.01").AddHook("createContainer", "/bin/sleep", "0.01");
    }
}
