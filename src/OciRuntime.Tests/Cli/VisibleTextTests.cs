using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Commands;
using OciRuntime.Linux;
using OciRuntime.State;
using OciRuntime.Tests.State;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>
/// Names of others' choice on an operator's terminal: nothing in them moves the cursor, ends a line or turns the text around.
/// </summary>
public sealed class VisibleTextTests
{
    // ESC, CSI as one character (C1), DEL, a bell, carriage return and line feed, a line separator, right-to-left override, zero width, a
    // tag beyond the BMP.
    private const string Evil = "a\e[2J\u009b\u007f\a\r\n\t\u2028\u202e\u200b\U000e0041z";
    private const string Shown = @"a\x1b[2J\u009b\x7f\x07\r\n\t\u2028\u202e\u200b\U000e0041z";

    [Test]
    public void What_is_more_than_text_is_escaped_and_the_rest_is_not()
    {
        VisibleText.Line(Evil).Should().Be(Shown);
        VisibleText.Lines("a\nb\r").Should().Be("a\nb\\r");
        foreach (string plain in (string[])["", "plain \\ \"text\"", "é ü 漢字 🐧 e\u0301", "\ufffd"])
            VisibleText.Line(plain).Should().Be(plain);
        VisibleText.Line("x\ud800y").Should().Be("x\ufffdy");
    }

    [Test]
    public void List_shows_bundles_and_damaged_journals_on_a_line_each()
    {
        using TemporaryRoot root = new();
        root.Create("evil", s => s.Bundle = "/" + Evil);
        root.Create("phase");
        File.WriteAllText(root.FileOf("phase", ContainerEntry.JournalName),
            File.ReadAllText(root.FileOf("phase", ContainerEntry.JournalName))
            .Replace("\"created\"", "\"\\u001b[2J\\u202e\"", StringComparison.Ordinal));
        CommandResult table = Ocirun.Run("--root", root.Root, "list").ShouldSucceed();
        table.Lines.Should().HaveCount(3);
        table.Stdout.Should().Contain("/" + Shown).And.Contain(@"unreadable: ").And.Contain(@"\x1b[2J\u202e");
        Text(table.Stdout);
        // JSON is for programs, and escapes by itself.
        CommandResult json = Ocirun.Run("--root", root.Root, "list", "--format", "json").ShouldSucceed();
        json.Json[0]!["bundle"]!.GetValue<string>().Should().Be("/" + Evil);
        Controls(json.Stdout);
        Controls(Ocirun.Run("--root", root.Root, "state", "evil").ShouldSucceed().Stdout);
    }

    [Test]
    public void Ps_shows_what_a_process_calls_itself_on_a_line()
    {
        PsCommand.Filter(["  PID CMD", $"   12 {Evil.Replace("\n", "")}", "   13 good"], [12, 13]).Should().HaveCount(3);
        Text(string.Join('\n', PsCommand.Filter(["  PID CMD", $"   12 {Evil}"], [12])));
    }

    [Test]
    public void Errors_are_text_on_standard_error_and_in_the_log()
    {
        using TemporaryRoot root = new();
        root.Create("x");
        File.WriteAllText(root.FileOf("x", ContainerEntry.JournalName), File.ReadAllText(root.FileOf("x", ContainerEntry.JournalName))
            .Replace("\"created\"", "\"\\u001b[2J\\u202e\"", StringComparison.Ordinal));
        using TemporaryFile log = new();
        string both = Ocirun.Run("--root", root.Root, "--log", log.Path, "--log-format", "text", "state", "x").ShouldFail(1).Stderr
            + File.ReadAllText(log.Path);
        both.Should().Contain(@"\x1b[2J\u202e");
        Text(both);
        foreach (string[] wrong in (string[][])[["de\e[2J\u202elete"], ["state", "--\e[2J\u202e"],
            ["--log", "/nonexistent/\e[2J\u202e", "list"], ["--root", "/nonexistent\e[2J\u202e", "list"],
            ["list", "--format", "\e[2J\u202e"]])
        {
            string stderr = Ocirun.Run(wrong).ShouldFail().Stderr;
            stderr.Should().Contain(@"\x1b[2J\u202e", "{0}", wrong);
            Text(stderr);
        }
    }

    [Test]
    public void Explain_shows_a_configuration_as_text()
    {
        using TestBundle bundle = new TestBundle().Args("true", Evil).Env($"X={Evil}");
        bundle.AddMount($"/mnt{Evil}", "bind", $"/tmp/{Evil}", "bind");
        bundle.Save();
        CommandResult plan = Ocirun.Run("explain", "--bundle", bundle.Directory).ShouldSucceed();
        plan.Stdout.Should().Contain(@"\u202e").And.Contain(@"\u009b");
        Text(plan.Stdout);
    }

    private static void Text(string output)
    {
        Controls(output);
        output.Should().NotContain("\u202e").And.NotContain("\u200b").And.NotContain("\u2028");
    }

    private static void Controls(string output) =>
        output.Where(c => char.IsControl(c) && c != '\n').Should().BeEmpty("{0}", VisibleText.Lines(output));
}
