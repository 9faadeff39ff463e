using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Cli;

namespace OciRuntime.Tests.Cli;

public sealed class TableTests
{
    [Test]
    public void Looks_like_the_list_of_runc()
    {
        Table table = new("ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER");
        table.Add("a-rather-long-name", "4711", "running", "/srv/wéb", "2026-03-04T12:00:00Z", "root");
        table.ToString().Should().Be(
            "ID                   PID         STATUS      BUNDLE      CREATED                OWNER\n" +
            "a-rather-long-name   4711        running     /srv/wéb    2026-03-04T12:00:00Z   root\n");
    }

    [Test]
    public void Only_a_header() => new Table("ID", "PID").ToString().Should().Be("ID          PID\n");

    [Test]
    public void A_row_of_another_width_is_a_mistake() =>
        FluentActions.Invoking(() => new Table("ID", "PID").Add("x")).Should().Throw<ArgumentOutOfRangeException>();
}
