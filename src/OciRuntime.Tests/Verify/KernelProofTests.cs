using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Verify;

namespace OciRuntime.Tests.Verify;

/// <summary>Values of sysctls as they were written, and as the kernel shows them.</summary>
public sealed class KernelProofTests
{
    [TestCase("net/ipv4/ip_local_reserved_ports", "30001,30000", "30000-30001", true, TestName = "Ports_are_sorted_and_merged")]
    [TestCase("net/ipv4/ip_local_reserved_ports", "30000-30002", "30000,30002", false, TestName = "A_port_is_gone")]
    [TestCase("net/ipv4/ip_local_reserved_ports", "", "", true, TestName = "No_port_is_reserved")]
    [TestCase("net/ipv4/ip_local_reserved_ports", "", "80", false, TestName = "One_is_all_the_same")]
    [TestCase("net/ipv4/ip_local_port_range", "1024 1025", "1024\t1025", true, TestName = "Words_are_parted_by_any_blank")]
    [TestCase("net/ipv4/ip_local_port_range", "1-2", "2-1", false, TestName = "No_other_file_has_sets")]
    [TestCase("kernel/sem", "010 0x10 -1 0", "8\t16\t-1\t0", true, TestName = "Octal_and_hexadecimal_numbers")]
    [TestCase("kernel/shmall", "10", "8", false, TestName = "A_decimal_number_is_none_of_these")]
    [TestCase("kernel/shmall", "08", "8", false, TestName = "What_is_no_octal_number")]
    [TestCase("kernel/shmall", "0xffffffffffffffff", "18446744073709551615", true, TestName = "The_highest")]
    [TestCase("kernel/hostname", "01", "1", false, TestName = "A_name_is_no_number")]
    public void A_value_is_the_same_or_not(string setting, string wanted, string found, bool isSame) =>
        KernelProof.IsSame($"sys/{setting}", wanted, found).Should().Be(isSame);
}
