using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>The lists of CPUs and NUMA nodes: process.execCPUAffinity, linux.memoryPolicy.nodes, cpuset files.</summary>
public sealed class CpuListTests
{
    [TestCase("0", 0)]
    [TestCase("0-3,7", 0, 1, 2, 3, 7)]
    [TestCase(" 0 - 1 , 3 ", 0, 1, 3)]
    [TestCase(",2,,", 2)]
    [TestCase("63-65", 63, 64, 65)]
    [TestCase("0-7:2/4", 0, 1, 4, 5)]
    [TestCase("1-6:1/3", 1, 4)]
    [TestCase("5-5", 5)]
    [TestCase("99", 99)]
    public void Members_are_the_bits_of_the_mask(string list, params int[] members)
    {
        CpuList.TryParse(list, 100, out ulong[] mask).Should().BeTrue();
        Enumerable.Range(0, mask.Length * 64).Where(i => (mask[i / 64] >> (i % 64) & 1) != 0).Should().Equal(members);
        mask.Length.Should().Be(members[^1] / 64 + 1, "no longer than needed");
    }

    [TestCase("", "no member")]
    [TestCase(" , ", "no member")]
    [TestCase("100", "too high")]
    [TestCase("0-4294967295", "too high, and not counted through")]
    [TestCase("99999999999", "no 32-bit number")]
    [TestCase("3-1", "backwards")]
    [TestCase("x", "no number")]
    [TestCase("1-", "half a range")]
    [TestCase("-1", "half a range")]
    [TestCase("+1", "a sign")]
    [TestCase("1-2-3", "two ranges")]
    [TestCase("0-3:4/2", "more used than there are")]
    [TestCase("0-3:0/0", "groups of nothing")]
    [TestCase("0-3:", "no stride")]
    [TestCase("0x1", "hexadecimal")]
    public void Anything_else_is_refused(string list, string reason)
    {
        CpuList.TryParse(list, 100, out ulong[] mask).Should().BeFalse(reason);
        mask.Should().BeEmpty();
    }

    [Test]
    public void Numbers_over_and_over_are_refused()
    {
        CpuList.TryParse(string.Join(',', Enumerable.Repeat("0-65535", 200)), CpuList.MaxCpus, out ulong[] mask).Should().BeTrue();
        mask.Should().HaveCount(1024).And.OnlyContain(static word => word == ulong.MaxValue);
        foreach (string part in (string[])["0-65535", "0-65535:1/2"])
        {
            CpuList.TryParse(string.Join(',', Enumerable.Repeat(part, 100_000)), CpuList.MaxCpus, out mask).Should().BeFalse();
            mask.Should().BeEmpty();
        }
    }

    /// <summary>For a cpuset file the kernel is the judge of the numbers.</summary>
    [TestCase("", true)]
    [TestCase("0-4294967295", true)]
    [TestCase("0-31:2/16, 40", true)]
    [TestCase("3-1", false)]
    [TestCase("a", false)]
    public void Form_alone_can_be_checked(string list, bool valid) => CpuList.IsValid(list).Should().Be(valid);
}
