using System.Diagnostics;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

public sealed class ProcessIdentityTests
{
    private const string Tail = " 1 1 1 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 3 0 98765 100 200";

    [TestCase("17 (sleep) S", 'S')]
    [TestCase("17 (a) Z 3 (b)) R", 'R')]
    [TestCase("17 () ) ) S", 'S')]
    [TestCase("17 (new\nline) D", 'D')]
    public void Reads_past_any_name(string head, char state)
    {
        ProcessStat.TryParse(Encoding.ASCII.GetBytes(head + Tail), out ProcessStat stat).Should().BeTrue();
        stat.Should().Be(new ProcessStat(state, 3, 98765));
    }

    [TestCase("")]
    [TestCase("17 (sleep")]
    [TestCase("17 (sleep)")]
    [TestCase("17 (sleep) S 1 2 3")]
    public void Refuses_what_is_cut_off(string line) => ProcessStat.TryParse(Encoding.ASCII.GetBytes(line), out _).Should().BeFalse();

    [TestCase('Z', 1, true)]
    [TestCase('X', 0, true)]
    [TestCase('Z', 2, false)] // The leader ended with pthread_exit, another thread runs on.
    [TestCase('T', 1, false)]
    public void Tells_the_dead(char state, long threads, bool dead) => new ProcessStat(state, threads, 1).IsDead.Should().Be(dead);

    [Test]
    public void Lives_until_it_ends()
    {
        using TemporaryRoot root = new();
        Process sleeper = root.Sleeper();
        ProcessIdentity identity = TemporaryRoot.IdentityOf(sleeper);
        identity.IsAlive().Should().BeTrue();

        identity.Signal(Processes.SIGTERM).Should().Be(0);
        sleeper.WaitForExit();
        identity.IsAlive().Should().BeFalse();
        identity.Signal(0).Should().Be(-Errno.ESRCH);
        identity.OpenPidFd().Should().Be(-Errno.ESRCH);
    }

    [Test]
    public void Is_not_another_process_with_the_same_pid()
    {
        using TemporaryRoot root = new();
        Process stranger = root.Sleeper();
        ProcessIdentity stale = TemporaryRoot.IdentityOf(stranger) with { StartTime = 12345 };
        stale.IsAlive().Should().BeFalse();
        stale.Signal(Processes.SIGKILL).Should().Be(-Errno.ESRCH);
        stranger.WaitForExit(200).Should().BeFalse("the signal was not meant for it");
    }

    [Test]
    public void A_zombie_has_ended()
    {
        using TemporaryRoot root = new();
        // sleep never waits for the child it inherits from the shell.
        Process parent = root.Start("sh", "-c", "sleep 0.01 & exec sleep 1000");
        ProcessIdentity child = WaitForZombieOf(parent.Id);
        child.IsAlive().Should().BeFalse();
    }

    [Test]
    [NeedsMachine]
    public void Lives_on_when_only_its_first_thread_has_ended()
    {
        using TemporaryRoot root = new();
        const string Program =
            "import ctypes,threading,time\nthreading.Thread(target=time.sleep,args=(1000,)).start()\nctypes.CDLL(None).syscall(60 if "
            + "__import__('os').uname().machine=='x86_64' else 93,0)";
        Process process = root.Start("python3", "-c", Program);
        ProcessStat stat = default;
        SpinWait.SpinUntil(() => ProcessStat.TryRead(process.Id, out stat) && stat.State == 'Z', 10_000).Should().BeTrue();
        stat.Threads.Should().BeGreaterThan(1);
        TemporaryRoot.IdentityOf(process).IsAlive().Should().BeTrue();
        TemporaryRoot.IdentityOf(process).Signal(Processes.SIGKILL).Should().Be(0);
    }

    [Test]
    public void None_is_nobody()
    {
        default(ProcessIdentity).IsAlive().Should().BeFalse();
        default(ProcessIdentity).Signal(Processes.SIGKILL).Should().Be(-Errno.ESRCH, "kill(0) would be the whole process group");
        new ProcessIdentity(-1, 0).Signal(Processes.SIGKILL).Should().Be(-Errno.ESRCH, "kill(-1) would be every process");
    }

    [Test]
    public void Self_is_this_process() => ProcessIdentity.Self().Pid.Should().Be(Environment.ProcessId);

    internal static ProcessIdentity WaitForZombieOf(int parent)
    {
        ProcessIdentity zombie = default;
        SpinWait.SpinUntil(() =>
        {
            string children = File.ReadAllText($"/proc/{parent}/task/{parent}/children").Trim();
            return int.TryParse(children, out int pid) && ProcessStat.TryRead(pid, out ProcessStat stat) && stat.State == 'Z'
                && (zombie = new ProcessIdentity(pid, stat.StartTime)) != default;
        }, 10_000).Should().BeTrue();
        return zombie;
    }
}
