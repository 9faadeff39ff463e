using FluentAssertions;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Cli;

/// <summary>System calls of tests must succeed; a test that goes on after a failed dup2 proves nothing.</summary>
internal static class Ok
{
    public static int Call(int result)
    {
        result.Should().BeGreaterThanOrEqualTo(0, $"errno is {Stdlib.GetLastError()}");
        return result;
    }
}
