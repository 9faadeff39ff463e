using System.Reflection;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Linux;

/// <summary>Capabilities that the program decides by have the numbers of their names.</summary>
public sealed class CapabilityNumberTests
{
    [Test]
    public void Constants_have_the_numbers_of_their_names() =>
        typeof(Credentials).GetFields(BindingFlags.Public | BindingFlags.Static)
            .Where(static field => field.Name.StartsWith("CAP_", StringComparison.Ordinal)).Should().NotBeEmpty()
            .And.OnlyContain(static field => CapabilityNames.Number(field.Name) == (int)field.GetRawConstantValue()!);
}
