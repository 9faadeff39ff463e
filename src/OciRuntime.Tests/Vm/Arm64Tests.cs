using System.Globalization;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Cli;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <summary>
/// The binary for arm64 on an emulated machine: what has numbers, layouts or conventions of its own there. <see cref="PlainTests"/> run on
/// it, too.
/// </summary>
/// <param name="suite">Debian's whose kernel it is.</param>
/// <param name="machine">What it runs on.</param>
[TestFixture("bookworm", "arm64")]
[TestFixture("trixie", "arm64", Category = "ByHand")]
[TestFixture("trixie", "arm64-16k", Category = "ByHand")]
[Category("Slow")]
public sealed partial class Arm64Tests(string suite, string machine)
{
    private static readonly string BuildScript = Path.Combine(Ocirun.RepositoryRoot, "build.sh");
    private const int FirstErrno = 1000;

    // Constants of the header that are no system calls.
    private static readonly string[] Counts = ["__NR_syscalls", "__NR_arch_specific_syscall"];

    // What a static program makes between the filter and its end; and restart_syscall, which is not for programs.
    private static readonly string[] Needed =
    [
        "execve", "brk", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlinkat", "getrandom", "mprotect", "mmap", "munmap",
        "newfstatat", "fstat", "openat", "read", "write", "close", "lseek", "exit_group", "futex",
        "restart_syscall",
    ];

    private readonly VmChecks _vm = new();
    private Dictionary<string, int> _answered = null!;

    /// <summary>All checks in one boot.</summary>
    [OneTimeSetUp]
    public void Boot()
    {
        _vm.Of(suite).On(machine).Options("--dir", Path.Combine(Ocirun.RepositoryRoot, "scripts") + ":/scripts");
        _vm.Options("--file", $"{Probe.Compile("Support/probe.c", "aarch64-linux-gnu")}:/rootfs/bin/probe");
        _vm.Add(nameof(Pages_have_the_size_of_the_machine), static _ => { },
            "awk '/^KernelPageSize:/ { print $2; exit }' /proc/self/smaps");
        AddLife();
        AddSeccomp();
        _vm.Add(nameof(Ids_of_a_mount_are_mapped), static bundle =>
        {
            bundle.WithUserNamespace().AddMount("/mnt", "bind", "/tmp/disk", "bind", "idmap");
            bundle.Script("stat -c %u:%g /mnt/root /mnt/five && touch /mnt/new");
        }, """
            for module in loop crc32c_generic crc16 mbcache jbd2 ext4; do
                [ ! -e /lib/modules/$module.ko ] || insmod /lib/modules/$module.ko || exit
            done
            dd if=/dev/zero of=/tmp/image bs=1M count=2 2>/dev/null && losetup /dev/loop0 /tmp/image || exit
            mkdir /tmp/disk /rootfs/mnt && mke2fs /dev/loop0 >/dev/null && mount -t ext4 /dev/loop0 /tmp/disk || exit
            touch /tmp/disk/root /tmp/disk/five && chown 5:6 /tmp/disk/five && chmod 777 /tmp/disk
            ocirun run $id
            stat -c %u:%g /tmp/disk/new
            umount /tmp/disk && losetup -d /dev/loop0 && rm -r /tmp/disk /tmp/image /rootfs/mnt
            """);
        _vm.Add(nameof(The_demo), static _ => { }, "bash -c 'fail() { exit 1; }; . /scripts/demo.sh; demo /usr/sbin/ocirun' 2>&1");
        _vm.Run();
    }

    private void AddLife()
    {
        _vm.Add(nameof(Nothing_is_allocated_in_the_child), static bundle => bundle.Args("uname", "-m"),
            "ocirun --debug --log /tmp/log run $id && grep -o 'init allocated [0-9]* bytes' /tmp/log; rm /tmp/log");
        _vm.Add(nameof(The_program_is_sealed_and_its_signals_end_it), static bundle => bundle.Args("true"), """
            ocirun create --pid-file /tmp/pid $id || exit
            read -r pid </tmp/pid
            # Its binary lies in an overlay, and the signals with a handler are those that end it.
            stat -L -f -c %t /proc/$pid/exe
            ocirun kill $id TERM
            until ocirun state $id | grep -q stopped; do :; done
            ocirun delete $id && rm /tmp/pid
            """);
        _vm.Add(nameof(A_hook_runs_and_a_terminal_is_had), static bundle =>
            bundle.Terminal().AddHook("createRuntime", "/usr/bin/touch", "/tmp/hooked").Args("tty"),
            "ocirun run $id && rm /tmp/hooked");
    }

    private void AddSeccomp()
    {
        _vm.Add(nameof(A_filter_kills), static bundle =>
            // Only x86 has the first one, whose number there is another call's here.
            bundle.Script("uname -m; exec mkdir /dev/x").Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_KILL_PROCESS", "mkdir", "mkdirat"),
            "ocirun run $id");
        _answered = HeaderCalls().Where(static call => !Needed.Contains(call.Key)).ToDictionary();
        string list = string.Concat(_answered.Values.Select(static number => $"{number:x} 0 0 0 0 0 0\\n"));
        _vm.Add(nameof(Each_system_call_has_its_number), bundle =>
        {
            bundle.Seccomp("SCMP_ACT_ALLOW");
            foreach ((string name, int number) in _answered) bundle.Rule("SCMP_ACT_ERRNO", (uint)(FirstErrno + number), name);
            bundle.Args("probe", "calls", "/calls");
        }, $"printf '{list}' >/rootfs/calls; ocirun run $id; rm /rootfs/calls");
    }

    [Test]
    public void Pages_have_the_size_of_the_machine() =>
        _vm.Result().ShouldSucceed().Text.Should().Be(machine.EndsWith("-16k", StringComparison.Ordinal) ? "16" : "4");

    [Test]
    public void Nothing_is_allocated_in_the_child() =>
        _vm.Result().ShouldSucceed().Lines.Should().Equal("aarch64", "init allocated 0 bytes");

    [Test]
    public void The_program_is_sealed_and_its_signals_end_it() => _vm.Result().ShouldSucceed().Text.Should().Be("794c7630");

    [Test]
    public void A_hook_runs_and_a_terminal_is_had() =>
        _vm.Result().ShouldSucceed().Text.Should().Be("/dev/pts/0");

    [Test]
    public void A_filter_kills()
    {
        CommandResult result = _vm.Result();
        result.Text.Should().Be("aarch64");
        result.Status.Code.Should().Be(128 + 31);
    }

    /// <summary>Those of the kernel's headers for the architecture, not of the tables that profiles are compiled with.</summary>
    [Test]
    public void Each_system_call_has_its_number()
    {
        _answered.Should().HaveCountGreaterThan(280);
        _vm.Result().ShouldSucceed().Lines.Select(int.Parse).Should().Equal(_answered.Values.Select(static number => FirstErrno + number));
    }

    [Test]
    public void Ids_of_a_mount_are_mapped() => _vm.Result().ShouldSucceed().Lines.Should().Equal("0:0", "5:6", "0:0");

    /// <summary>By the emulator of single programs, which has neither namespaces nor a sealed copy to offer.</summary>
    [Test]
    public void Without_a_machine_it_answers_as_the_other_binary_does()
    {
        using TestBundle bundle = new TestBundle().Save();
        foreach (string[] words in (string[][])[["help", "state"], ["explain", "--bundle", bundle.Directory]])
            Emulate(words).Should().Be(Ocirun.Run(words).ShouldSucceed().Stdout);
        Emulate("--version").Should().StartWith("ocirun version ");
        Emulate("features").Should().Contain("ociVersionMax");
    }

    [Test]
    public void A_package_is_made_for_it()
    {
        CommandResult made =
            Command.Run(BuildScript, ["package", "--arch", "arm64"], new CommandOptions { Timeout = TimeSpan.FromMinutes(4) });
        string package = made.ShouldSucceed().Lines[^1];
        package.Should().EndWith("_arm64.deb");
        Command.Run("dpkg-deb", "--field", package, "Architecture").ShouldSucceed().Text.Should().Be("arm64");
        PackageTests.RuntimeOf(package).Should().Be("linux-arm64");
        // e_machine of the ELF header, of 20 bytes the last two: EM_AARCH64.
        Command.Run("sh", "-c", $"dpkg-deb --fsys-tarfile {package} | tar -xO ./usr/bin/ocirun | od -An -tx1 -j18 -N2").ShouldSucceed().Text
            .Should().Be(" b7 00");
    }

    private static string Emulate(params string[] words) =>
        Command.Run(Requires.Tool("qemu-aarch64-static"), [Path.Combine(Ocirun.RepositoryRoot, "out/arm64/ocirun"), .. words])
            .ShouldSucceed().Stdout;

    [Test]
    public void The_demo() => _vm.Result().ShouldSucceed().Stdout.Should().Contain("hello from pid 1").And.Contain("no process left");

    // From "#define __NR_mkdirat 34" or, by one more step, "#define __NR_fcntl __NR3264_fcntl".
    private static Dictionary<string, int> HeaderCalls()
    {
        string text = Command.Run(Requires.Tool("aarch64-linux-gnu-gcc"), "-dM", "-E", "-include", "asm/unistd.h", "-x", "c", "/dev/null")
            .ShouldSucceed().Stdout;
        Dictionary<string, string> words =
            NumberDefinition().Matches(text).ToDictionary(static match => match.Groups[1].Value, static match => match.Groups[2].Value);
        return words.Where(static pair => pair.Key.StartsWith("__NR_", StringComparison.Ordinal) && !Counts.Contains(pair.Key))
            .ToDictionary(
            static pair => pair.Key["__NR_".Length..],
            pair => int.Parse(words.GetValueOrDefault(pair.Value, pair.Value), CultureInfo.InvariantCulture));
    }

    [GeneratedRegex(@"^#define (__NR\w+) (\w+)$", RegexOptions.Multiline)]
    private static partial Regex NumberDefinition();
}
