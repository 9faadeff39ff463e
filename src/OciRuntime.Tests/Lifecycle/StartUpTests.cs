using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>What libc and the .NET runtime do before the program's first line, in every verb (Native/runtime.c).</summary>
public sealed class StartUpTests
{
    /// <summary>All of mountinfo, twice: three milliseconds for each thousand mounts of the host.</summary>
    [Test]
    public void It_reads_nothing_that_grows_with_the_host()
    {
        Requires.OcirunItself();
        string[] opened = Calls("open,openat", "--version");
        opened.Should().NotBeEmpty("the runtime looks for the number of processors");
        string[] growing = ["/mountinfo", "/cgroup", "/meminfo", "/node", "/maps"];
        opened.Where(line => growing.Any(line.Contains)).Should().BeEmpty();
    }

    /// <summary>A second one would make clone, exit and each change of the address space dearer.</summary>
    [TestCase("--version")]
    [TestCase("list")]
    [TestCase("run --help")]
    public void There_is_one_thread(string line) => Calls("clone,clone3", line).Should().BeEmpty();

    /// <summary>Its bounds are the runtime's business (Native/runtime.c): also where the kernel does not know them beforehand.</summary>
    [TestCase("unlimited")]
    [TestCase("512")]
    public void A_stack_of_any_size_will_do(string kilobytes)
    {
        Requires.OcirunItself();
        Command.Run("sh", "-c", $"ulimit -s {kilobytes} && exec {Ocirun.Binary.Path} list").ShouldSucceed();
    }

    private static string[] Calls(string names, string line)
    {
        Requires.OcirunItself();
        return [.. Command.Run("strace", ["-f", "-qq", "-e", "signal=none", "-e", $"trace={names}", Ocirun.Binary.Path, .. line.Split(' ')])
            .ShouldSucceed().Stderr.Split('\n', StringSplitOptions.RemoveEmptyEntries)];
    }
}
