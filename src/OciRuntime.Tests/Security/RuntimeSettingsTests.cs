using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// Variables that set up a .NET runtime, in the caller's environment for some other program. Each of these alone ended this one with a
/// fault or with exit code 255, before it had said a word.
/// </summary>
[LeavesNothing]
public sealed class RuntimeSettingsTests
{
    private static readonly string[] Deadly =
    [
        "DOTNET_GCHeapHardLimit=400000", "DOTNET_GCHeapHardLimit=100000", "DOTNET_GCLargePages=1", "DOTNET_GCRegionRange=1000",
        "DOTNET_GCRegionSize=1", "DOTNET_DbgEnableMiniDump=1",
    ];

    private static readonly string[] Others =
    [
        "DOTNET_gcServer=1", "DOTNET_GCgen0size=1", "DOTNET_GCHeapAffinitizeMask=0", "DOTNET_GCHeapCount=1000", "DOTNET_GCName=none.so",
        "DOTNET_PROCESSOR_COUNT=0",
        "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=0", "DOTNET_EnableEventPipe=1", "DOTNET_Thread_DefaultStackSize=1",
        "COMPlus_GCHeapHardLimit=100000", "COMPlus_DbgEnableMiniDump=1",
    ];

    [SetUp]
    public void OnlyOcirun() => Requires.OcirunItself();

    [Test]
    public void No_verb_is_hurt_by_them([ValueSource(nameof(Deadly))]
    string setting, [Values("--version", "list", "features", "top --once", "run --help")] string line)
    {
        string root = TestRun.NewDirectory("state");
        CommandResult plain = Ocirun.Run(["--root", root, .. line.Split(' ')], new CommandOptions());
        CommandResult set = Ocirun.Run(["--root", root, .. line.Split(' ')], new CommandOptions { Env = Environment(setting) });
        Cleaner.DeleteTree(root);
        (set.ExitCode, set.Stdout == plain.Stdout, set.Stderr).Should().Be((0, true, ""));
    }

    /// <summary>
    /// What stands behind the hidden pointers moves up by one for each; a caller with one such variable alone, as containerd may be, ended
    /// every verb.
    /// </summary>
    [Test]
    public void Nor_by_their_number([Values(0, 1, 2, 3, 4)] int count)
    {
        string[] words = ["--ignore-environment", "A=b", .. Others.Take(count), "C=d", Ocirun.Binary.Path, "--version"];
        CommandResult set = Command.Run("env", words, new CommandOptions());
        (set.ExitCode, set.Stderr).Should().Be((0, ""));
    }

    /// <summary>Through a whole life, and nothing of them arrives where the configuration alone decides.</summary>
    [Test]
    public void All_of_them_at_once_change_nothing_and_reach_no_container()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("env; exec sleep 1000")
            .WithCgroup())
        { Options = new CommandOptions { Env = Environment([.. Deadly, .. Others]) } };
        container.Create().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Start().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Status.Should().Be("running");
        container.Exec("env").ShouldSucceed().Stdout.Should().Contain("PATH=").And.NotContain("DOTNET_").And.NotContain("COMPlus_");
        container.Invoke("ps", "--format", "json").ShouldSucceed();
        container.Invoke("update", "--pids-limit", "50").ShouldSucceed();
        container.Invoke("events", "--stats").ShouldSucceed();
        _ = container.InitPid;
        container.Kill("KILL").ShouldSucceed();
        container.WaitExit().Signal.Should().Be(Libc.SIGKILL);
        container.Delete().ShouldSucceed();
        container.Output.Should().Contain("PATH=").And.NotContain("DOTNET_").And.NotContain("COMPlus_");
    }

    /// <summary>
    /// It is where programs of the host that are to have the caller's environment get it from, in a program that was started twice, too.
    /// </summary>
    [Test]
    public void The_block_that_execve_brought_stays_whole()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("echo up; exec sleep 1000")
            .WithCgroup())
        { Options = new CommandOptions { Env = Environment([.. Deadly[^2..], .. Others]) } };
        using RunningCommand run = container.StartRun();
        container.WaitOutput("up");
        new FileInfo($"/proc/{run.Pid}/exe").LinkTarget.Should().NotBe(Ocirun.Binary.Path, "it is the second start");
        new ProcessView(run.Pid).Environ.Should().Contain([.. Deadly[^2..], .. Others]);
        container.Kill("KILL").ShouldSucceed();
        run.Wait().ExitCode.Should().Be(137);
    }

    /// <summary>A first piece of the heap as large as all memory: the C library's own start ended with it.</summary>
    [Test]
    public void Nor_by_what_tunes_the_c_library([Values("GLIBC_TUNABLES=glibc.malloc.top_pad=9223372036854775807",
        "MALLOC_TOP_PAD_=9223372036854775807")] string setting, [Values("--version", "run --help")] string line)
    {
        CommandResult set = Ocirun.Run(line.Split(' '), new CommandOptions { Env = Environment(setting) });
        (set.ExitCode, set.Stderr).Should().Be((0, ""));
    }

    /// <summary>
    /// They are hidden from the C library, too, which is linked statically: nothing is loaded, traced or printed for them.
    /// </summary>
    [Test]
    public void Those_of_the_c_library_change_nothing_either()
    {
        string[] settings =
        [
            "LD_PRELOAD=/none.so", "LD_AUDIT=/none.so", "LD_LIBRARY_PATH=/none", "LD_DEBUG=all", "LD_SHOW_AUXV=1",
            "LD_TRACE_LOADED_OBJECTS=1", "LD_BIND_NOW=1", "LD_WARN=1", "LD_PROFILE=libc.so.6",
            "MALLOC_PERTURB_=165", "MALLOC_ARENA_MAX=1", "MALLOC_MMAP_MAX_=0", "MALLOC_MMAP_THRESHOLD_=1", "MALLOC_TRIM_THRESHOLD_=0",
            "MALLOC_CHECK_=3", "MALLOC_TRACE=/dev/full",
            "GLIBC_TUNABLES=glibc.malloc.tcache_count=0:glibc.malloc.hugetlb=2:glibc.pthread.rseq=0"
                + ":glibc.cpu.hwcaps=-AVX2,-AVX512F,-ERMS:glibc.mem.tagging=3:glibc.rtld.nns=16",
            "GCONV_PATH=/none", "LOCPATH=/none", "LC_ALL=tr_TR.UTF-16", "TZ=:/dev/zero", "TZDIR=/none", "TMPDIR=/none", "POSIXLY_CORRECT=1",
            "LIBC_FATAL_STDERR_=1",
        ];
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script("env; exec sleep 1000").WithCgroup())
        {
            Options = new CommandOptions { Env = Environment(settings) },
        };
        container.Create().ShouldSucceed().Stderr.Should().BeEmpty();
        container.Start().ShouldSucceed().Stderr.Should().BeEmpty();
        CommandResult exec = container.Exec("echo", "ran").ShouldSucceed();
        (exec.Stdout, exec.Stderr).Should().Be(("ran\n", ""));
        container.Status.Should().Be("running");
        container.Delete("--force").ShouldSucceed().Stderr.Should().BeEmpty();
        container.Output.Should().NotContainAny("LD_", "MALLOC_", "GLIBC_");
    }

    /// <summary>
    /// What stands behind them moves up by half an entry of the auxiliary vector for each. One alone has whoever is called by containerd:
    /// LD_LIBRARY_PATH.
    /// </summary>
    [Test]
    public void However_many_there_are([Range(0, 3)] int count) =>
        Command.Run("env", ["-i", .. Enumerable.Range(0, count).Select(static n => $"LD_{n}=x"), Ocirun.Binary.Path, "--version"])
            .ShouldSucceed().Stdout.Should().StartWith("ocirun version ");

    /// <summary>What merely begins like one of them is not touched, and neither is anything behind it.</summary>
    [Test]
    public void Other_variables_are_read_as_ever()
    {
        using TestBundle bundle = new();
        Dictionary<string, string?> environment = Environment("DOTNET_GCLargePages=1", "DOTNETX=1", "COMPlus=1");
        environment["RUN_OCI_SECCOMP_RECEIVER"] = "relative";
        bundle.Linux["seccomp"] =
            System.Text.Json.Nodes.JsonNode.Parse(
            """{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [ { "names": [ "mkdir" ], "action": "SCMP_ACT_NOTIFY" } ] }""");
        using TestContainer container = new(bundle) { Options = new CommandOptions { Env = environment } };
        container.Create().ShouldFail(1, "RUN_OCI_SECCOMP_RECEIVER=relative: must be an absolute path");
    }

    private static Dictionary<string, string?> Environment(params string[] settings) =>
        settings.GroupBy(static one => one.Split('=')[0])
        .ToDictionary(static same => same.Key, static same => (string?)same.Last().Split('=', 2)[1]);
}
