using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Host;
using OciRuntime.State;

namespace OciRuntime.Tests.Control;

/// <summary>Names that others choose, in the kernel's and the host's tables: only what ends a line or a field there does so here.</summary>
public sealed class ForeignNameTests
{
    // .NET takes them for the end of a line, or for blanks that can be trimmed; dev_valid_name() in the kernel lets them pass.
    private static readonly string[] NoEnds = ["\u0085", "\u2028", "\u2029", "\u2003"];

    [Test]
    public void An_interface_cannot_pose_as_the_loopback([ValueSource(nameof(NoEnds))] string strange)
    {
        const string numbers = "1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0";
        string table = $"Inter-| Receive\n face |bytes\n    lo: {numbers}\n{strange}lo: {numbers}\n  e{strange}0: {numbers}\n";
        NetworkCounters.Parse(table).ConvertAll(static one => one.Name).Should().Equal($"{strange}lo", $"e{strange}0");
    }

    [Test]
    public void A_full_name_begins_no_line_of_passwd([ValueSource(nameof(NoEnds))] string strange)
    {
        Dictionary<uint, string> names =
            OwnerNames.Parse(
            Encoding.UTF8.GetBytes($"eve:x:1001:1001:Eve{strange}root:x:0:0:,,,:/home/eve:/bin/sh\nalice:x:1002:1002::/:/bin/sh\n"));
        names.Should().HaveCount(2).And.NotContainKey(0u);
        names[1001].Should().Be("eve");
        names[1002].Should().Be("alice");
    }
}
