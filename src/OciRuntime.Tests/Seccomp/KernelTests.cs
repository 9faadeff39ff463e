using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.Tests.Faults;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>Filters in the kernel, in real containers; each with the filter loaded early (no no_new_privs) and last.</summary>
[LeavesNothing]
[TestFixture(false)]
[TestFixture(true)]
public sealed class KernelTests(bool noNewPrivileges)
{
    private const int SIGSYS = 31, Signalled = 128;

    // What a static program needs to get to main and out again, and what the probe does besides.
    private static readonly string[] Needed =
    [
        "execve", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink", "readlinkat", "getrandom",
        "mprotect", "mmap", "munmap",
        "newfstatat", "fstat", "openat", "read", "write", "close", "exit_group",
    ];

    // What init itself does once an early filter is loaded, as the documentation has it.
    private static readonly string[] NeededByInit = [.. Names(@"what they need: ([^;]+);")];

    private static IEnumerable<string> Names(string list) =>
        Regex.Matches(Regex.Match(File.ReadAllText(Path.Combine(Ocirun.RepositoryRoot, "docs/seccomp.md")), list).Groups[1].Value, @"\w+")
        .Select(static word => word.Value).Where(static word => word != "or");

    // What busybox does as an ordinary user.
    private static readonly string[] NeededByBusybox = ["prctl", "getuid", "getgid", "setuid", "setgid"];

    /// <summary>For all that neither true(1) nor init needs.</summary>
    private TestBundle Killing() => New("").Args("true").Seccomp("SCMP_ACT_KILL_PROCESS")
        .Rule("SCMP_ACT_ALLOW", [.. Needed, .. NeededByBusybox, .. noNewPrivileges ? [] : NeededByInit]);

    private TestBundle New(string script) => new TestBundle().Script(script).NoNewPrivileges(noNewPrivileges);

    [Test]
    public void Errno_is_returned()
    {
        using TestBundle bundle = New("mkdir /tmp/x; echo $?; grep Seccomp: /proc/self/status").Writable().Seccomp("SCMP_ACT_ALLOW")
            .Rule("SCMP_ACT_ERRNO", 28, "mkdir", "mkdirat");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        container.Output.Should().Be("1\nSeccomp:\t2\n");
        container.ErrorOutput.Should().Contain("No space left on device");
    }

    /// <summary>What root can enter it has entered before, so that a profile may deny what that takes.</summary>
    [Test]
    public void Working_directory_does_not_need_the_profile()
    {
        using TestBundle bundle = New("readlink /proc/self/cwd; cd / 2>/dev/null || echo denied").Seccomp("SCMP_ACT_ALLOW")
            .Rule("SCMP_ACT_ERRNO", "chdir", "getcwd").User(1000, 1000);
        bundle.Process["cwd"] = "/root";
        Command.Run("chmod", "700", bundle.InRootfs("/root")).ShouldSucceed();
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        container.Output.Should().Be("/root\ndenied\n");
    }

    [TestCase("SCMP_ACT_KILL_PROCESS")]
    [TestCase("SCMP_ACT_KILL")]
    [TestCase("SCMP_ACT_TRAP")]
    public void Deadly_actions_kill(string action)
    {
        using TestBundle bundle = New("exec mkdir /tmp/x").Seccomp("SCMP_ACT_ALLOW").Rule(action, "mkdir", "mkdirat");
        using TestContainer container = new(bundle);
        container.Run().ExitCode.Should().Be(Signalled + SIGSYS);
    }

    [TestCase("SCMP_ACT_LOG", 0)]
    [TestCase("SCMP_ACT_TRACE", 1)] // ENOSYS, as nobody traces.
    public void Calls_are_logged_and_traced(string action, int status)
    {
        using TestBundle bundle = New("mkdir /tmp/x").Writable().Seccomp("SCMP_ACT_ALLOW").Rule(action, "mkdir", "mkdirat");
        using TestContainer container = new(bundle);
        container.Run().ExitCode.Should().Be(status);
    }

    [TestCase("", "0")]
    [TestCase("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_LOG")]
    [TestCase("SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_LOG|SECCOMP_FILTER_FLAG_SPEC_ALLOW")]
    public void Flags_reach_the_kernel(string words, string flags)
    {
        using TestBundle bundle = New("true").Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_ERRNO", "mkdir");
        bundle.Linux["seccomp"]!["flags"] = TestBundle.Strings(words.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        using TestContainer container = new(bundle);
        string log =
            Strace.Record([Ocirun.Binary.Path, "--root", container.StateRoot, "run", "--bundle", bundle.Save().Directory, container.Id],
            "seccomp");
        log.Should().Contain($"seccomp(SECCOMP_SET_MODE_FILTER, {flags}, ");
    }

    [Test]
    public void Default_profile_runs_programs_as_users_without_privileges()
    {
        using TestBundle bundle = New("id -u; grep -E 'Seccomp:|CapEff|NoNewPrivs' /proc/self/status; unshare -U true || echo denied")
            .User(1000, 1000).Capabilities();
        bundle.Linux["seccomp"] = DefaultProfileTests.Shape("docker");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        container.Output.Should().Be($"1000\nCapEff:\t0000000000000000\nNoNewPrivs:\t{(noNewPrivileges ? 1 : 0)}\nSeccomp:\t2\ndenied\n");
    }

    [Test]
    public void Start_hooks_run_under_the_filter()
    {
        // Docker's profile answers clone3 with ENOSYS.
        using TestBundle bundle = New("cat /tmp/filter").AddMount("/tmp", "tmpfs", "tmpfs")
            .AddHook("startContainer", "/bin/sh", "-c", "grep Seccomp: /proc/self/status > /tmp/filter");
        bundle.Linux["seccomp"] = DefaultProfileTests.Shape("docker");
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        container.Output.Should().Be("Seccomp:\t2\n");
    }

    [Test]
    public void Init_allocates_nothing()
    {
        using TestBundle bundle = New("true").Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_ERRNO", "mkdir");
        using TestContainer container = new(bundle);
        container.GlobalOptions.Add("--debug");
        container.Run().ShouldSucceed();
        container.ErrorOutput.Should().Contain("init allocated 0 bytes");
    }

    [Test]
    public void Profile_that_denies_everything_fails_cleanly()
    {
        using TestBundle bundle = New("true").Seccomp("SCMP_ACT_KILL_PROCESS");
        using TestContainer container = new(bundle);
        CommandResult created = container.Create();
        if (noNewPrivileges)
        {
            // The program is the first to make a call.
            created.ShouldSucceed();
            container.InitPid.Should().BePositive();
            container.Start();
            container.WaitExit().Signal.Should().Be(SIGSYS);
            return;
        }
        created.ShouldFail(1, "container init ended during set-up: signal 31: /linux/seccomp may deny a call");
    }

    /// <summary>One call more, and the container is gone: while it waits for `start`, at its start, or when it is run at once.</summary>
    [Test]
    public void The_documented_calls_are_all_that_init_makes([Values] bool terminal)
    {
        using TestBundle bundle = Killing().User(1000, 1000);
        using ConsoleSocket socket = new();
        string[] options = terminal ? ["--console-socket", socket.SocketPath] : [];
        if (terminal) bundle.Terminal();
        using TestContainer container = new(bundle);
        container.Create(options).ShouldSucceed();
        container.InitPid.Should().BePositive();
        container.Start().ShouldSucceed();
        container.WaitExit().Code.Should().Be(0);
        if (terminal) return;
        using TestContainer other = new(bundle);
        other.Run().ShouldSucceed();
    }

    /// <summary>Found out before the filter is loaded, under which there is no call for it.</summary>
    [Test]
    public void A_limit_that_leaves_no_descriptor_for_start_is_refused_under_a_filter()
    {
        using TestBundle bundle = Killing();
        foreach (int limit in (int[])[3, 4])
        {
            bundle.Process["rlimits"] = new JsonArray(new JsonObject { ["type"] = "RLIMIT_NOFILE", ["soft"] = limit, ["hard"] = limit });
            using TestContainer container = new(bundle);
            if (limit == 3) container.Create().ShouldFail(1, "too many open files (EMFILE): RLIMIT_NOFILE (/process/rlimits");
            else container.Create().ShouldSucceed();
        }
    }

    [Test]
    public void Silent_denial_of_everything_stops_init_at_the_failed_step()
    {
        using TestBundle bundle = New("touch /tmp/ran").User(1000, 1000).Writable().Seccomp("SCMP_ACT_ERRNO");
        using TestContainer container = new(bundle);
        container.Run().Succeeded.Should().BeFalse();
        File.Exists(bundle.InRootfs("/tmp/ran")).Should()
            .BeFalse("a step that failed, and an exit_group that failed, must not lead to the program");
    }

    [Test]
    public void Calls_get_what_the_interpreter_says()
    {
        Random random = new(7);
        using TestBundle bundle = New("").Seccomp("SCMP_ACT_ERRNO", 99).RunProbe("calls", "/calls");
        bundle.Rule("SCMP_ACT_ALLOW", [.. Needed, .. noNewPrivileges ? [] : NeededByInit]);
        for (int i = 0; i < 120; i++) AddRandomRule(bundle, random, 100 + i);
        LinuxSeccomp profile = DefaultProfileTests.Parse(bundle.Linux["seccomp"]!.DeepClone().AsObject());
        SockFilter[] program = SeccompCompiler.Compile(profile, SeccompArch.X64).Instructions;
        SampleCall[] calls = [.. DifferentialTests.Samples(new ProfileMeaning(profile, SeccompArch.X64), random)
            .Where(call => IsHarmless(call, program))];
        StringBuilder text = new();
        foreach (SampleCall call in calls)
        {
            text.Append(CultureInfo.InvariantCulture,
                $"{call.Number:x} {string.Join(' ', call.Arguments.Select(static a => a.ToString("x")))}\n");
        }
        bundle.WriteFile("/calls", text.ToString());
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed();
        string[] errnos = container.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        errnos.Should().HaveCount(calls.Length).And.HaveCountGreaterThan(5000);
        for (int i = 0; i < calls.Length; i++)
        {
            uint expected = FilterInterpreter.Run(program, calls[i], bigEndian: false) & 0xffff;
            if (errnos[i] != expected.ToString()) Assert.Fail($"{calls[i]}: the kernel says errno {errnos[i]}, the interpreter {expected}");
        }
    }

    /// <summary>
    /// Calls that the filter answers with an errno are not made at all; but uretprobe and uprobe bypass filters, and kill whoever is not
    /// the kernel's own trampoline.
    /// </summary>
    private static bool IsHarmless(SampleCall call, SockFilter[] program) =>
        call.Number is not (335 or 336) && call.Arch == SeccompArchs.AuditToken(SeccompArch.X64)
        && (FilterInterpreter.Run(program, call, bigEndian: false) & SeccompFilter.RET_ACTION_FULL) == SeccompFilter.RET_ERRNO;

    private static void AddRandomRule(TestBundle bundle, Random random, int errno)
    {
        string name;
        do name = SyscallTable.Name(random.Next(SyscallTable.Count));
        while (Needed.Contains(name) || NeededByInit.Contains(name));
        ulong[] values = [0, 1, 5, 0x80000000, 0xffffffff, 0x100000005, ulong.MaxValue];
        bundle.Rule("SCMP_ACT_ERRNO", (uint)errno, name);
        // One argument each: rules for the same call that could contradict each other have different values.
        bundle.Linux["seccomp"]!["syscalls"]!.AsArray()[^1]!["args"] = new JsonArray(new JsonObject
        {
            ["index"] = random.Next(6),
            ["op"] = random.Next(2) == 0 ? "SCMP_CMP_GE" : "SCMP_CMP_MASKED_EQ",
            ["value"] = values[random.Next(values.Length)] + (ulong)errno,
            ["valueTwo"] = values[random.Next(values.Length)],
        });
    }
}
