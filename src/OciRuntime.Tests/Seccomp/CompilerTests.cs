using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Seccomp;

/// <summary>What cannot be seen by comparing programs: tables, limits, refusals, the ENOSYS rule.</summary>
public sealed class CompilerTests
{
    [Test]
    public void Tables_have_libseccomps_numbers()
    {
        int known = 0;
        for (int index = 0; index < SyscallTable.Count; index++)
        {
            string name = SyscallTable.Name(index);
            SyscallTable.Find(name).Should().Be(index);
            if (!LibSeccomp.Knows(name)) continue;
            known++;
            foreach (SeccompArch arch in Enum.GetValues<SeccompArch>())
            {
                int number = SyscallTable.Number(index, arch), theirs = LibSeccomp.Number(name, arch);
                // Below -100 are calls that do not exist, or that have a number besides socketcall and ipc, which libseccomp does not tell
                // here.
                if (theirs >= 0) SeccompArchs.KernelNumber(arch, number).Should().Be((uint)theirs, $"{name} on {arch}");
                else if (SyscallTable.Multiplex(index).Number < 0) number.Should().Be(-1, $"{name} on {arch}");
            }
        }
        known.Should().BeGreaterThan(450);
    }

    [TestCase("fchmodat2", 452)]
    [TestCase("mseal", 462)]
    public void Newer_calls_have_one_number_everywhere(string name, int number) =>
        Enum.GetValues<SeccompArch>().Should().OnlyContain(arch => SyscallTable.Number(SyscallTable.Find(name), arch) == number);

    [TestCase("")]
    [TestCase("opennat")]
    [TestCase("öpen")]
    public void Other_names_are_unknown(string name) => SyscallTable.Find(name).Should().Be(-1);

    [Test]
    public void Unknown_names_are_left_out_and_told()
    {
        SeccompProgram program =
            SeccompCompiler.Compile(Profile("SCMP_ACT_ERRNO", Rule("SCMP_ACT_ALLOW", "read", "made_up")), SeccompArch.X64);
        program.UnknownNames.Should().Equal("made_up");
    }

    [Test]
    public void Calls_newer_than_the_profile_get_ENOSYS()
    {
        LinuxSeccomp profile = Profile("SCMP_ACT_ERRNO", Rule("SCMP_ACT_ALLOW", "read", "openat2"));
        Run(profile, 436).Should().Be(SeccompFilter.RET_ERRNO | Errno.EPERM);
        Run(profile, 437).Should().Be(SeccompFilter.RET_ALLOW);
        Run(profile, 438).Should().Be(SeccompFilter.RET_ERRNO | Errno.ENOSYS);
        profile.DefaultAction = "SCMP_ACT_LOG";
        Run(profile, 438).Should().Be(SeccompFilter.RET_LOG, "what a permissive profile does not know gets through");
    }

    [Test]
    public void Contradictions_are_refused()
    {
        SeccompSyscall Rule(string action) =>
            new() { Names = ["socket"], Action = action, Args = [new SeccompArg { Index = 0, Value = 16, Op = "SCMP_CMP_EQ" }] };
        Action compile = () =>
            SeccompCompiler.Compile(Profile("SCMP_ACT_ERRNO", Rule("SCMP_ACT_ALLOW"), Rule("SCMP_ACT_LOG")), SeccompArch.X64);
        compile.Should().Throw<OciException>().WithMessage("/linux/seccomp/syscalls/1: the rule for socket contradicts an earlier one*LOG");
    }

    [Test]
    public void Words_for_architectures_are_in_the_order_of_these()
    {
        SeccompArch[] all = Enum.GetValues<SeccompArch>();
        SpecWords.SeccompArchitectures[..all.Length].Select(static word => word["SCMP_ARCH_".Length..].Replace("_", "")).Should()
            .Equal(all.Select(static arch => arch switch
            {
                SeccompArch.X64 => "X8664",
                SeccompArch.Arm64 => "AARCH64",
                _ => arch.ToString().ToUpperInvariant(),
            }));
        SeccompArchs.Parse(SpecWords.SeccompArchitectures[all.Length]).Should().BeNull("there is no table");
    }

    [TestCase("SCMP_ARCH_LOONGARCH64", "*/linux/seccomp/architectures/0: SCMP_ARCH_LOONGARCH64 is not supported*")]
    [TestCase("SCMP_ARCH_S390X", "*/linux/seccomp/architectures/0: SCMP_ARCH_S390X has another byte order*")]
    public void Architectures_that_cannot_be_served_are_refused(string arch, string message)
    {
        LinuxSeccomp profile = Profile("SCMP_ACT_ERRNO");
        profile.Architectures = [arch];
        Action compile = () => SeccompCompiler.Compile(profile, SeccompArch.X64);
        compile.Should().Throw<OciException>().WithMessage(message);
    }

    [Test]
    public void Long_programs_have_their_jumps_and_a_limit()
    {
        // Each value is a test of its own: far more than a conditional jump can cross.
        LinuxSeccomp profile = Values(1500);
        SockFilter[] program = SeccompCompiler.Compile(profile, SeccompArch.X64).Instructions;
        program.Length.Should().BeInRange(1500, SeccompFilter.MaxInstructions);
        foreach (ulong value in (ulong[])[0, 1, 700, 1499])
        {
            FilterInterpreter.Run(program, new SampleCall(0xc000003e, 135, [value * 3, 0, 0, 0, 0, 0]), false).Should()
                .Be(SeccompFilter.RET_ALLOW);
            FilterInterpreter.Run(program, new SampleCall(0xc000003e, 135, [(value * 3) + 1, 0, 0, 0, 0, 0]), false).Should()
                .Be(SeccompFilter.RET_ERRNO | Errno.EPERM);
        }
        Action compile = () => SeccompCompiler.Compile(Values(5000), SeccompArch.X64);
        compile.Should().Throw<OciException>().WithMessage("/linux/seccomp: the filter*the kernel takes*");
    }

    /// <summary>A level is as long as the kernel lets it be, and the shim compiles on threads with 1 MiB of stack.</summary>
    [Test]
    public void The_longest_programs_need_no_stack()
    {
        OnSmallStack(static () => SeccompCompiler.Compile(Values(4000), SeccompArch.X64)).Instructions.Length.Should().BeGreaterThan(4000);
        OnSmallStack(static () => SeccompCompiler.Compile(Values(4000, "personality", "ioctl"), SeccompArch.X64)).Instructions.Length
            .Should().BeGreaterThan(4000, "what is the same for two calls is there once");
    }

    [TestCase(20_000, "the filter is far longer than the 4096 instructions")]
    [TestCase(-20_000, "the filter is far longer than the 4096 instructions")]
    [TestCase(33_000, "come to more than 65536 tests")]
    [TestCase(-33_000, "the filter is far longer than the 4096 instructions")]
    public void Lists_without_end_are_refused(int count, string message)
    {
        // Two conditions on one argument are two rules; rising values go to the beginning of the list, falling ones to its end.
        SeccompSyscall rule = Rule("SCMP_ACT_ALLOW", "personality");
        rule.Args = [.. Enumerable.Range(0, Math.Abs(count)).Select(i => Equals(count > 0 ? i : -count - i))];
        Action compile = () => OnSmallStack(() => SeccompCompiler.Compile(Profile("SCMP_ACT_ERRNO", rule), SeccompArch.X64));
        compile.Should().Throw<OciException>().WithMessage($"/linux/seccomp: *{message}*");
    }

    [Test]
    public void Conditions_that_multiply_are_refused()
    {
        SeccompSyscall[] rules = [.. Enumerable.Range(0, 2000).Select(static i => new SeccompSyscall
        {
            Names = ["read", "write", "open", "close", "stat", "fstat", "lstat"],
            Action = "SCMP_ACT_ALLOW",
            Args = [.. ((string[])["LT", "GT", "NE", "LE", "GE", "LT"]).Select((word, argument) =>
                new SeccompArg { Index = (uint)argument, Op = $"SCMP_CMP_{word}", Value = (ulong)(i + argument) })],
        })];
        SeccompSyscall repeated = Rule("SCMP_ACT_ALLOW", [.. Enumerable.Repeat("personality", 300)]);
        repeated.Args = [.. Enumerable.Range(0, 300).Select(static i => Equals(i))];
        foreach (LinuxSeccomp profile in (LinuxSeccomp[])[Profile("SCMP_ACT_ERRNO", rules),
            Profile("SCMP_ACT_ERRNO", Rule("SCMP_ACT_ALLOW", "personality"), repeated)])
        {
            Action compile = () => SeccompCompiler.Compile(profile, SeccompArch.X64);
            compile.Should().Throw<OciException>().WithMessage("/linux/seccomp: * come to more than 65536 tests, the limit of ocirun");
        }
    }

    /// <summary>Rules that libseccomp 2.5.4 gets wrong (docs/seccomp.md): the profile's plain meaning counts.</summary>
    [TestCase("a0 LT 255, a0 LT 4294967296", 255ul, 0ul, true, TestName = "Upper half compared after the lower one")]
    [TestCase("a0 GT 10, a0 GT 5 & a1 EQ 3", 7ul, 3ul, true, TestName = "Second of two greater rules")]
    [TestCase("a0 LT 5 & a1 EQ 1, a0 LT 9 & a1 EQ 2", 7ul, 1ul, false, TestName = "Conditions stay with their rule")]
    public void Rules_mean_what_they_say(string rules, ulong a0, ulong a1, bool allowed)
    {
        LinuxSeccomp profile = Profile("SCMP_ACT_ERRNO", [.. rules.Split(", ").Select(Conditions)]);
        SampleCall call = new(0xc000003e, 135, [a0, a1, 0, 0, 0, 0]);
        uint expected = allowed ? SeccompFilter.RET_ALLOW : SeccompFilter.RET_ERRNO | Errno.EPERM;
        FilterInterpreter.Run(SeccompCompiler.Compile(profile, SeccompArch.X64).Instructions, call, false).Should().Be(expected);
        uint theirs = FilterInterpreter.Run(LibSeccomp.Compile(profile, SeccompArch.X64, out _)!, call, false);
        TestContext.Out.WriteLine(
            $"libseccomp returns {SeccompWords.Describe(theirs)}, which is {(theirs == expected ? "right" : "wrong")}");
    }

    private static SeccompSyscall Conditions(string rule) => new()
    {
        Names = ["personality"],
        Action = "SCMP_ACT_ALLOW",
        Args = [.. rule.Split(" & ").Select(static text => text.Split(' '))
            .Select(static words =>
            new SeccompArg { Index = (uint)(words[0][1] - '0'), Op = "SCMP_CMP_" + words[1], Value = ulong.Parse(words[2]) })],
    };

    [TestCase(null, SeccompFilter.FLAG_SPEC_ALLOW)]
    [TestCase("", 0u)]
    [TestCase("SECCOMP_FILTER_FLAG_TSYNC", 0u)]
    [TestCase("SECCOMP_FILTER_FLAG_LOG SECCOMP_FILTER_FLAG_SPEC_ALLOW SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", 2u | 4u | 32u)]
    public void Flags_are_the_kernels(string? words, uint flags)
    {
        LinuxSeccomp profile = Profile("SCMP_ACT_ALLOW");
        profile.Flags = words?.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        SeccompCompiler.Compile(profile, SeccompArch.X64).Flags.Should().Be(flags);
    }

    private static LinuxSeccomp Values(int count, params string[] names) =>
        Profile("SCMP_ACT_ERRNO", [.. Enumerable.Range(0, count).Select(i => new SeccompSyscall
        {
            Names = names.Length == 0 ? ["personality"] : names, Action = "SCMP_ACT_ALLOW", Args = [Equals(i * 3)]
        })]);

    private static SeccompArg Equals(int value) => new() { Index = 0, Value = (ulong)value, Op = "SCMP_CMP_EQ" };

    private static SeccompProgram OnSmallStack(Func<SeccompProgram> compile)
    {
        SeccompProgram? program = null;
        OciException? refusal = null;
        Thread thread = new(() =>
        {
            try
            {
                program = compile();
            }
            catch (OciException e)
            {
                refusal = e;
            }
        }, 256 << 10);
        thread.Start();
        thread.Join();
        return program ?? throw refusal!;
    }

    private static LinuxSeccomp Profile(string defaultAction, params SeccompSyscall[] rules) =>
        new() { DefaultAction = defaultAction, Syscalls = rules };

    private static SeccompSyscall Rule(string action, params string[] names) => new() { Names = names, Action = action };

    private static uint Run(LinuxSeccomp profile, uint number) =>
        FilterInterpreter.Run(SeccompCompiler.Compile(profile, SeccompArch.X64).Instructions,
        new SampleCall(0xc000003e, number, new ulong[6]), false);
}
