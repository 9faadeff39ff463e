using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>
/// Memory policies as /proc/PID/numa_maps has them (the kernel's mpol_to_str()), of machines with more nodes than this one.
/// </summary>
public sealed class MemoryPolicyProofTests
{
    [TestCase("MPOL_BIND", "0-3", "", "bind:0-1 stack anon=3", true, TestName = "The_cpuset_allows_two_of_them")]
    [TestCase("MPOL_BIND", "0", "", "bind:1 heap", false, TestName = "Another_node")]
    [TestCase("MPOL_BIND", "0", "MPOL_F_STATIC_NODES", "bind:0", false, TestName = "Without_the_flag")]
    [TestCase("MPOL_BIND", "0-1", "MPOL_F_RELATIVE_NODES", "bind=relative:2-3", true, TestName = "Counted_from_the_first_that_is_allowed")]
    [TestCase("MPOL_BIND", "0", "", "default file=/bin/sleep", false, TestName = "None")]
    [TestCase("MPOL_DEFAULT", "", "", "default file=/bin/sleep", true, TestName = "None_is_asked_for")]
    [TestCase("MPOL_PREFERRED_MANY", "0-1", "", "prefer (many):0-1 file=/x", true, TestName = "Two_words")]
    [TestCase("MPOL_PREFERRED", "0", "", "prefer (many):0", false, TestName = "Another_mode_that_begins_like_it")]
    [TestCase("MPOL_PREFERRED", "", "", "local", true, TestName = "To_prefer_none_is_local")]
    [TestCase("MPOL_WEIGHTED_INTERLEAVE", "0", "", "weighted interleave:0 anon=1", true, TestName = "Two_other_words")]
    [TestCase("MPOL_INTERLEAVE", "0", "MPOL_F_NUMA_BALANCING", "interleave=balancing:0", true, TestName = "A_flag_that_older_kernels_hide")]
    public void A_line_is_the_policy_or_not(string mode, string nodes, string flag, string line, bool isHeld) =>
        MemoryPolicyProof.Is(new() { Mode = mode, Nodes = nodes, Flags = flag.Length > 0 ? [flag] : [] }, line).Should().Be(isHeld);
}
