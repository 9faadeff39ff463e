using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>
/// Podman reads the runtime's log as one JSON document, and chooses exit codes by what it finds: warnings must not come between.
/// </summary>
[ThisMachinesEngines]
public sealed class WarningTests : PodmanTest
{
    // Additional groups are left out then, with a warning, by ocirun at least.
    private const string Warns = "--annotation=run.oci.keep_original_groups=1";

    [TestCase("nope", 127, "executable file not found in $PATH")]
    [TestCase("", 127, "no such file or directory")]
    [TestCase("/etc/passwd", 126, "permission denied")]
    public void A_failure_after_a_warning_keeps_its_exit_code(string program, int exitCode, string words)
    {
        Requires.OcirunItself();
        Podman.Run(Line("run --rm", Warns, "--group-add=44", "bb", program)).ShouldFail(exitCode, words);
        Podman.Run(Line("run --rm", Warns, "--group-add=44", "bb", "echo", "fine")).ShouldSucceed().Stdout.Should().Be("fine\n");
    }

    [Test]
    public void A_failing_poststop_hook_is_nobodys_failure()
    {
        string hooks = Directory.CreateDirectory(NewPath()).FullName;
        File.WriteAllText($"{hooks}/hook.json",
            """{ "version": "1.0.0", "hook": { "path": "/bin/false" }, "when": { "always": true }, "stages": [ "poststop" ] }""");
        CommandResult result = Podman.Run([$"--hooks-dir={hooks}", .. Line("run --rm", "bb", "echo", "fine")]);
        result.ShouldSucceed().Stdout.Should().Be("fine\n");
    }
}
