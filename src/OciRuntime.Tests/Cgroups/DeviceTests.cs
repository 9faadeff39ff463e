using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Cgroups;

/// <summary>Device rules: folding, and the program run by an interpreter against a model that only reads the rules.</summary>
public sealed class DeviceTests
{
    [Test]
    public void No_rules_mean_deny_all_but_the_defaults()
    {
        DeviceFilter filter = DeviceFilter.Build(null);
        filter.DefaultAllow.Should().BeFalse();
        Ask(filter, 'b', 8, 0, DeviceAccess.Make).Should().BeTrue("making any node is allowed");
        Ask(filter, 'b', 8, 0, DeviceAccess.Read).Should().BeFalse();
        Ask(filter, 'c', 1, 1, DeviceAccess.Read).Should().BeFalse();
        Ask(filter, 'c', 1, 3, DeviceAccess.All).Should().BeTrue();
        Ask(filter, 'c', 136, 77, DeviceAccess.Read | DeviceAccess.Write).Should().BeTrue();
        Ask(filter, 'c', 10, 229, DeviceAccess.Read).Should().BeFalse();
        Ask(filter, 'c', 10, 200, DeviceAccess.Read).Should().BeTrue();
    }

    [Test]
    public void Defaults_cannot_be_denied()
    {
        DeviceFilter filter = Filter(Rule(false, "c", 1, 3), Rule(false, "c", -1, -1));
        Ask(filter, 'c', 1, 3, DeviceAccess.All).Should().BeTrue();
    }

    [Test]
    public void A_later_rule_wins()
    {
        Ask(Filter(Rule(true, "c", 4, -1), Rule(false, "c", 4, 5)), 'c', 4, 5, DeviceAccess.Read).Should().BeFalse();
        Ask(Filter(Rule(true, "c", 4, -1), Rule(false, "c", 4, 5)), 'c', 4, 6, DeviceAccess.Read).Should().BeTrue();
        Ask(Filter(Rule(false, "c", 4, 5), Rule(true, "c", 4, -1)), 'c', 4, 5, DeviceAccess.Read).Should().BeTrue();
    }

    [Test]
    public void Kinds_of_access_are_decided_apart()
    {
        DeviceFilter filter =
            Filter(Rule(true, "b", 8, 0, "r"), Rule(true, "b", 8, -1, "w"), Rule(true, "b", 9, 0), Rule(false, "b", 9, 0, "w"));
        Ask(filter, 'b', 8, 0, DeviceAccess.Read | DeviceAccess.Write).Should().BeTrue();
        Ask(filter, 'b', 8, 1, DeviceAccess.Read | DeviceAccess.Write).Should().BeFalse();
        Ask(filter, 'b', 9, 0, DeviceAccess.Read).Should().BeTrue();
        Ask(filter, 'b', 9, 0, DeviceAccess.Read | DeviceAccess.Write).Should().BeFalse();
    }

    [Test]
    public void A_rule_on_everything_starts_afresh()
    {
        Filter(Rule(false, "c", 4, 5), Rule(true, "a")).AllowsEverything.Should().BeTrue();
        Filter(Rule(true, "c", 4, 5), Rule(false, null)).Rules.Should().NotContain(r => r.Major == 4);
        Filter(Rule(true, "a", -1, -1, "r")).DefaultAllow.Should().BeFalse("only reading was allowed");
    }

    [Test]
    public void V1_exceptions_are_merged_by_device()
    {
        Filter(Rule(true, "b", 8, 0, "r"), Rule(true, "b", 8, 0, "w"), Rule(true, "b", 9, 0), Rule(false, "b", 9, 0, "w"))
            .Exceptions().Select(e => e.KernelText).Should().StartWith(["b 8:0 rw", "b 9:0 rm"]);
        Filter(Rule(true, "b", 8, 0), Rule(false, "b", 8, -1)).Exceptions().Should().NotContain(e => e.Major == 8);
        DeviceFilter open = Filter(Rule(true, "a"), Rule(false, "b", 8, 0, "rw"));
        open.DefaultAllow.Should().BeTrue();
        open.Exceptions().Select(e => e.KernelText).Should().Equal("b 8:0 rw");
    }

    [Test]
    public void V1_cannot_punch_holes_and_says_so() =>
        FluentActions.Invoking(() => Filter(Rule(true, "c", 4, -1), Rule(false, "c", 4, 5)).Exceptions())
            .Should().Throw<OciException>().WithMessage("/linux/resources/devices/1:*[c 4:5 rwm]*[c 4:* rwm]*");

    [Test]
    public void Listing() => Filter(Rule(true, "c", 10, 229)).Describe().Should()
    .StartWith(["deny a *:* rwm", "allow c 10:229 rwm", "allow c *:* m"]);

    /// <summary>What `explain` shows is what the kernel's verifier reads; in its log it writes each instruction that it gets to.</summary>
    [Test]
    [NeedsMachine]
    public void Listing_of_the_program_is_the_kernels()
    {
        DeviceFilter filter = Filter(Rule(true, "a"), Rule(false, "c", 10, 229, "r"), Rule(true, "b", 8, -1, "rw"), Rule(false, "b", 9, 0));
        BpfInstruction[] program = DeviceProgram.Assemble(filter);
        byte[] log = new byte[1 << 20];
        long fd = Bpf.LoadDeviceProgram(program, "test", log);
        fd.Should().BePositive();
        Files.Close((int)fd);
        string words = System.Text.Encoding.ASCII.GetString(log).TrimEnd('\0');
        // "0: R1=ctx() R10=fp0" and "12: (55) if r2 != 0x2 goto pc+5 13: R1=ctx() ...": registers follow, newer kernels write them behind a
        // semicolon.
        string[] kernel = [.. Regex.Matches(words, @"(\d+): \(..\) (.*?)(?= *;| *\n| \d+: )")
            .Select(match => (number: int.Parse(match.Groups[1].Value), line: $"{match.Groups[1].Value}: {match.Groups[2].Value}"))
            .DistinctBy(one => one.number).OrderBy(one => one.number).Select(one => one.line)];
        kernel.Should().Equal(DeviceProgram.Describe(program));
    }

    [Test]
    public void Program_equals_model_on_random_rules()
    {
        Random random = new(7);
        string?[] types = [null, "a", "c", "b"], accesses = [null, "r", "w", "m", "rw", "rm", "wm", "rwm"];
        // Beyond 12 and 20 bits no device is, and what such a rule says of "2:1048576" is not said of 3:0.
        int[] majors = [-1, 0, 1, 2, 5, 4096, 4098], minors = [-1, 0, 1, 2, 5, 1 << 20, 3 << 20 | 5];
        (int major, int minor)[] devices = [(0, 0), (1, 0), (1, 3), (1, 2), (2, 1), (2, 5), (3, 0), (3, 5), (5, 0), (5, 2), (5, 5),
            (136, 4), (4095, 1048575)];
        for (int round = 0; round < 3000; round++)
        {
            DeviceRule[] rules = new DeviceRule[random.Next(7)];
            for (int i = 0; i < rules.Length; i++)
            {
                rules[i] = Rule(random.Next(2) == 0, types[random.Next(types.Length)], majors[random.Next(7)], minors[random.Next(7)],
                    accesses[random.Next(accesses.Length)]);
            }
            DeviceFilter filter = DeviceFilter.Build(rules);
            BpfInstruction[] program = DeviceProgram.Assemble(filter);
            foreach (char type in "cb")
            {
                foreach ((int major, int minor) in devices)
                {
                    for (int access = 1; access < 8; access++)
                    {
                        bool expected = Model(rules, type, major, minor, (DeviceAccess)access);
                        if (Interpret(program, type, major, minor, access) == expected) continue;
                        string rows = string.Join("\n", filter.Describe());
                        Assert.Fail($"{type} {major}:{minor} {(DeviceAccess)access}: expected {expected}\n{rows}");
                    }
                }
            }
        }
    }

    [Test]
    public void V1_exceptions_mean_the_same_for_single_accesses()
    {
        Random random = new(11);
        string?[] types = ["a", "c", "b"], accesses = ["r", "w", "rw", "rwm"];
        int[] numbers = [-1, 1, 2];
        int compared = 0;
        for (int round = 0; round < 3000; round++)
        {
            DeviceRule[] rules = new DeviceRule[random.Next(5)];
            for (int i = 0; i < rules.Length; i++)
            {
                rules[i] = Rule(random.Next(2) == 0, types[random.Next(types.Length)], numbers[random.Next(3)], numbers[random.Next(3)],
                    accesses[random.Next(accesses.Length)]);
            }
            DeviceFilter filter = DeviceFilter.Build(rules);
            List<DeviceFilterRule> exceptions;
            try
            {
                exceptions = filter.Exceptions();
            }
            catch (OciException)
            {
                continue; // Cannot be said in v1's terms.
            }
            compared++;
            foreach (DeviceAccess access in new[] { DeviceAccess.Read, DeviceAccess.Write, DeviceAccess.Make })
            {
                foreach (char type in "cb")
                {
                    for (int n = 0; n < 9; n++)
                    {
                        int major = n / 3 + 1, minor = n % 3 + 1;
                        bool exception = exceptions.Exists(e => Matches(e, type, major, minor) && (e.Access & access) != 0);
                        (filter.DefaultAllow ^ exception).Should().Be(Model(rules, type, major, minor, access));
                    }
                }
            }
        }
        compared.Should().BeGreaterThan(500);
    }

    private static bool Matches(DeviceFilterRule rule, char type, int major, int minor) =>
        rule.Type == type && (rule.Major == -1 || rule.Major == major) && (rule.Minor == -1 || rule.Minor == minor);

    // For each kind of access the last rule that matches; independent of DeviceFilter.
    internal static bool Model(DeviceRule[] rules, char type, int major, int minor, DeviceAccess asked)
    {
        (char, int, int)[] fixedAll = [('c', 1, 3), ('c', 1, 8), ('c', 1, 7), ('c', 5, 0), ('c', 1, 5), ('c', 1, 9), ('c', 136, minor),
            ('c', 5, 2), ('c', 10, 200)];
        foreach (char letter in "rwm")
        {
            DeviceAccess bit = letter == 'r' ? DeviceAccess.Read : letter == 'w' ? DeviceAccess.Write : DeviceAccess.Make;
            if ((asked & bit) == 0) continue;
            if (letter == 'm' || fixedAll.Contains((type, major, minor))) continue;
            bool verdict = false;
            foreach (DeviceRule r in rules)
            {
                bool typed = r.Type is null or "" or "a" || r.Type[0] == type;
                bool numbered = (r.Major is null or -1 || r.Major == major) && (r.Minor is null or -1 || r.Minor == minor);
                if (typed && numbered && (r.Access ?? "rwm").Contains(letter)) verdict = r.Allow;
            }
            if (!verdict) return false;
        }
        return true;
    }

    private static bool Ask(DeviceFilter filter, char type, int major, int minor, DeviceAccess access) =>
        Interpret(DeviceProgram.Assemble(filter), type, major, minor, (int)access);

    // Only the instructions the assembler knows; forward jumps only, as the oldest verifiers demand.
    private static bool Interpret(BpfInstruction[] program, char type, int major, int minor, int access)
    {
        long[] r = new long[11];
        uint[] context = [(uint)(access << 16 | (type == 'b' ? 1 : 2)), (uint)major, (uint)minor];
        for (int pc = 0; pc < program.Length; pc++)
        {
            BpfInstruction i = program[pc];
            int dst = i.Registers & 15, src = i.Registers >> 4;
            switch (i.Code)
            {
                case 0x61: r[dst] = context[i.Offset / 4]; break;
                case 0xbf: r[dst] = r[src]; break;
                case 0xb7: r[dst] = i.Immediate; break;
                case 0x57: r[dst] &= i.Immediate; break;
                case 0x77: r[dst] = (long)((ulong)r[dst] >> i.Immediate); break;
                case 0x67: r[dst] <<= i.Immediate; break;
                case 0x4f: r[dst] |= r[src]; break;
                case 0x16 when (int)r[dst] == i.Immediate: pc += Forward(i); break;
                case 0x56 when (int)r[dst] != i.Immediate: pc += Forward(i); break;
                case 0x46 when ((int)r[dst] & i.Immediate) != 0: pc += Forward(i); break;
                case 0x05: pc += Forward(i); break;
                case 0x16 or 0x56 or 0x46: break;
                case 0x95: return r[0] == 1;
                default: throw new InvalidOperationException($"opcode {i.Code:x}");
            }
        }
        throw new InvalidOperationException("fell off the end");
    }

    private static int Forward(BpfInstruction i) => i.Offset > 0 ? i.Offset : throw new InvalidOperationException("not a forward jump");

    private static DeviceFilter Filter(params DeviceRule[] rules) => DeviceFilter.Build(rules);

    internal static DeviceRule Rule(bool allow, string? type, long? major = null, long? minor = null, string? access = null) =>
        new() { Allow = allow, Type = type, Major = major, Minor = minor, Access = access };
}
