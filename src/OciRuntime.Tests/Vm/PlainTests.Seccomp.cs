using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Seccomp;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Vm;

/// <content>Calls of 32-bit x86, which a kernel has with CONFIG_IA32_EMULATION.</content>
public sealed partial class PlainTests
{
    private const int SIGSYS = 31;

    private void AddSeccompChecks()
    {
        if (machine != "amd64") return;
        _vm.Options("--file", $"{Probe.HostPath}:/bin/probe");
        foreach (string architecture in (string[])["SCMP_ARCH_X86", "SCMP_ARCH_X86_64"])
        {
            foreach (bool noNewPrivileges in (bool[])[false, true])
            {
                _vm.Add(Call(architecture, noNewPrivileges), bundle =>
                {
                    bundle.AddMount("/tmp/probe", "bind", "/bin/probe", "bind", "ro").Args("/tmp/probe", "call32", "20")
                        .NoNewPrivileges(noNewPrivileges).Seccomp("SCMP_ACT_ALLOW").Rule("SCMP_ACT_ERRNO", 77, "getpid");
                    bundle.Linux["seccomp"]!["architectures"] = TestBundle.Strings(architecture);
                }, "ocirun run $id");
            }
        }
    }

    private static string Call(string architecture, bool noNewPrivileges) => $"call32-{architecture}-{noNewPrivileges}";

    /// <summary>
    /// getpid(2) has the number 20 on 32-bit x86; a 64-bit program can make such calls. With the filter loaded early and last.
    /// </summary>
    [Test]
    public void Other_architectures_count_when_they_are_listed([Values] bool noNewPrivileges)
    {
        if (machine != "amd64") Assert.Ignore("missing: CONFIG_IA32_EMULATION");
        _vm.Result(Call("SCMP_ARCH_X86", noNewPrivileges)).ShouldSucceed().Stdout.Should().Be("77\n");
        _vm.Result(Call("SCMP_ARCH_X86_64", noNewPrivileges)).ShouldFail(128 + SIGSYS).Stdout.Should().BeEmpty();
    }
}
