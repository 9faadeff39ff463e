using FluentAssertions;
using NUnit.Framework;

namespace OciRuntime.Tests;

public sealed class SmokeTests
{
    [Test]
    public void Arithmetic_works() => (1 + 1).Should().Be(2);
}
