using System.Text.Json.Nodes;
using FluentAssertions;

namespace OciRuntime.Tests.Support;

/// <summary>What a finished command left: its exit code (128 + signal when killed by one) and its output up to its end.</summary>
public sealed record CommandResult(string CommandLine, ExitStatus Status, string Stdout, string Stderr, TimeSpan Duration)
{
    /// <summary>The exit code as a shell would show it.</summary>
    public int ExitCode => Status.ShellCode;

    /// <summary>True for exit code 0.</summary>
    public bool Succeeded => ExitCode == 0;

    /// <summary>Stdout as JSON.</summary>
    public JsonNode Json => JsonNode.Parse(Stdout) ?? throw new InvalidDataException($"`{CommandLine}` printed the JSON value null");

    /// <summary>Stdout without the last line end.</summary>
    public string Text => Stdout.TrimEnd('\n');

    /// <summary>Stdout in lines, without empty ones.</summary>
    public string[] Lines => Stdout.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Fails the test unless the exit code is 0; the message has both outputs.</summary>
    public CommandResult ShouldSucceed()
    {
        Succeeded.Should().BeTrue("this should succeed: {0}", this);
        return this;
    }

    /// <summary>Fails the test when the exit code is 0, or is not <paramref name="exitCode"/>, or stderr lacks one of the texts.</summary>
    public CommandResult ShouldFail(int? exitCode = null, params string[] stderrContains)
    {
        Succeeded.Should().BeFalse("this should fail: {0}", this);
        if (exitCode is { } expected) ExitCode.Should().Be(expected, "{0}", this);
        foreach (string text in stderrContains) Stderr.Should().Contain(text, "{0}", this);
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"`{CommandLine}` exited with {ExitCode} after {Duration.TotalMilliseconds:F0} ms\nstdout: {Stdout}\nstderr: {Stderr}";
}
