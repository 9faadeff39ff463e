using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Init;

namespace OciRuntime.Tests.Init;

/// <summary>A created container may outlive the program that made it: `start` of a newer one reads the errors of its init.</summary>
public sealed class InitOpTests
{
    /// <summary>As in the first version whose errors had them.</summary>
    [TestCase(nameof(InitOp.Seccomp), 63)]
    [TestCase(nameof(InitOp.AwaitStart), 65)]
    [TestCase(nameof(InitOp.StartHook), 66)]
    [TestCase(nameof(InitOp.Execute), 67)]
    public void What_comes_after_the_wait_for_start_keeps_its_number(string op, int number) =>
    ((int)Enum.Parse<InitOp>(op)).Should().Be(number);
}
