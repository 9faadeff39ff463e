using System.Reflection;
using System.Text.RegularExpressions;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Seccomp;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Seccomp;

/// <summary>
/// The numbers by which the program makes system calls are those of the tables that profiles are compiled with, also for the architecture
/// that is not built here.
/// </summary>
public sealed partial class SyscallNumberTests
{
    [TestCase("X64")]
    [TestCase("Arm64")]
    public void Numbers_are_those_of_the_tables(string arch)
    {
        string directory = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime/Linux");
        string[] files = [Path.Combine(directory, $"SyscallNumber.{arch}.cs"), Path.Combine(directory, "SyscallNumber.cs")];
        MatchCollection constants = Constant().Matches(string.Concat(files.Select(File.ReadAllText)));
        constants.Should().HaveCountGreaterThan(90);
        constants.Should().OnlyContain(
            match => Number(match.Groups[1].Value, Enum.Parse<SeccompArch>(arch)) == int.Parse(match.Groups[2].Value));
    }

    [Test]
    public void Every_constant_is_looked_at() =>
        typeof(SyscallNumber).GetFields(BindingFlags.Public | BindingFlags.Static).Where(static field => field.FieldType == typeof(int))
            .Should().OnlyContain(static field => Number(field.Name, SeccompArchs.Native) == (int)field.GetRawConstantValue()!);

    [Test]
    public void Filters_of_the_program_are_for_the_same_architecture() =>
        SyscallNumber.AuditArch.Should().Be(SeccompArchs.AuditToken(SeccompArchs.Native));

    /// <summary>What the validator lets through is known here: each action, operator and flag.</summary>
    [Test]
    public void Every_word_of_the_specification_has_a_number()
    {
        SpecWords.SeccompActions.Select(static word => SeccompWords.Action(word, 1)).Distinct()
            .Should().HaveCount(SpecWords.SeccompActions.Length - 1, "KILL is KILL_THREAD");
        SpecWords.SeccompOperators.Select(SeccompWords.Operator).Should().BeEquivalentTo(Enum.GetValues<Comparison>());
        const uint Flags = SeccompFilter.FLAG_LOG | SeccompFilter.FLAG_SPEC_ALLOW | SeccompFilter.FLAG_WAIT_KILLABLE_RECV;
        SeccompWords.Flags(new LinuxSeccomp { Flags = SpecWords.SeccompFlags }).Should().Be(Flags);
    }

    private static int Number(string name, SeccompArch arch) =>
        SyscallTable.Number(SyscallTable.Find(Upper().Replace(name, "_$0").ToLowerInvariant()), arch);

    [GeneratedRegex(@"\b([A-Z]\w+) = (\d+)\b")]
    private static partial Regex Constant();

    [GeneratedRegex("(?<!^)[A-Z]")]
    private static partial Regex Upper();
}
