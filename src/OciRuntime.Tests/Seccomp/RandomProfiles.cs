using OciRuntime.Seccomp;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Seccomp;

/// <summary>
/// Profiles that exercise what real ones rarely do: every action, operator and architecture, 64-bit values, overlapping rules.
/// </summary>
internal sealed class RandomProfiles(int seed)
{
    private static readonly string[] Actions =
    [
        "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_TRAP", "SCMP_ACT_ERRNO", "SCMP_ACT_TRACE",
        "SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY",
    ];
    private static readonly string[] Operators = ["SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE", "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ"];

    // Equal upper halves with different lower ones, and the other way round, are where 64-bit comparisons go wrong.
    private static readonly ulong[] Values =
    [
        0, 1, 2, 5, 9, 0x10, 0xff, 0x7e020000, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 0x100000005, 0x100000009,
        0x200000005, 0x500000001,
        0x7fffffff00000000, 0x8000000000000000, 0xffffffff00000000, 0xffffffffffffffff, 0xffffffffffffff9c,
    ];
    private static readonly string[] Names = [.. Enumerable.Range(0, SyscallTable.Count).Select(SyscallTable.Name).Where(LibSeccomp.Knows)];
    private readonly Random _random = new(seed);

    /// <summary>A profile, and the architecture it is for.</summary>
    public LinuxSeccomp Next(out SeccompArch native)
    {
        native = Pick(Enum.GetValues<SeccompArch>());
        // x32 alone is no kernel's native architecture.
        if (native == SeccompArch.X32) native = SeccompArch.X64;
        LinuxSeccomp profile = new() { DefaultAction = Pick(Actions), Architectures = Architectures(native), Flags = [] };
        profile.DefaultErrnoRet = Errno(profile.DefaultAction);
        string[] names = _random.Next(3) == 0 ? Names : [.. Enumerable.Range(0, _random.Next(1, 12)).Select(_ => Pick(Names))];
        // One action per profile: the rules cannot contradict each other, and every call has one right answer.
        string? action = _random.Next(2) == 0 ? Pick(Actions) : null;
        int conditional = _random.Next(0, 101);
        profile.Syscalls = [.. Enumerable.Range(0, _random.Next(0, names.Length > 20 ? 150 : 25))
            .Select(_ => Rule(names, action ?? Pick(Actions), conditional))];
        return profile;
    }

    private SeccompSyscall Rule(string[] names, string action, int conditional)
    {
        SeccompSyscall rule = new()
        {
            Names = [.. Enumerable.Range(0, _random.Next(1, names.Length > 20 ? 12 : 3)).Select(_ => Pick(names))],
            Action = action,
            ErrnoRet = Errno(action),
        };
        if (_random.Next(100) >= conditional) return rule;
        rule.Args = [.. Enumerable.Range(0, _random.Next(1, 4)).Select(_ => Argument())];
        return rule;
    }

    private SeccompArg Argument() => new()
    {
        Index = (uint)_random.Next(_random.Next(2) == 0 ? 2 : 6),
        Op = Pick(Operators),
        Value = Value(),
        ValueTwo = Value(),
    };

    private ulong Value() => _random.Next(8) == 0 ? (ulong)_random.NextInt64() : Pick(Values);

    private uint? Errno(string action) =>
        action is "SCMP_ACT_ERRNO" or "SCMP_ACT_TRACE" && _random.Next(2) == 0 ? (uint)_random.Next(0, 40) : null;

    private string[] Architectures(SeccompArch native)
    {
        string[] fitting = [.. SpecWords.SeccompArchitectures.Where(word => SeccompArchs.Parse(word) is { } arch
            && SeccompArchs.IsBigEndian(arch) == SeccompArchs.IsBigEndian(native))];
        // What x86_64 really comes with, more often than chance would have it.
        if (native == SeccompArch.X64 && _random.Next(2) == 0) return ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"];
        return [.. Enumerable.Range(0, _random.Next(0, 4)).Select(_ => Pick(fitting))];
    }

    private T Pick<T>(T[] items) => items[_random.Next(items.Length)];
}
