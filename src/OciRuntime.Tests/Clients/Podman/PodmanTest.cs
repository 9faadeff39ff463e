using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients.Podman;

/// <summary>What the tests of Podman have in common: short words for its commands, and nothing left after each test.</summary>
[ForeignDaemon]
public abstract class PodmanTest
{
    private protected static ClientHost Podman => PodmanHost.Client;

    /// <summary>Ends what a test has left and looks for traces.</summary>
    [TearDown]
    public void RemoveContainers()
    {
        Podman.Run("pod", "rm", "--all", "--force", "--time", "0").ShouldSucceed();
        Podman.Run("rm", "--all", "--force", "--time", "0").ShouldSucceed();
        Podman.CheckNothingLeft();
        // Podman leaves those of its monitors to the next ones, and those of pods in hierarchies that it does not know.
        Cleaner.RemoveCgroups($"{TestRun.Token}/");
    }

    /// <summary>
    /// `podman run --rm` or another verb, with options that keep the host out of it; options and image come before the command, and without
    /// any the image is bb.
    /// </summary>
    private protected static string[] Line(string verb, params string[] args) =>
    [
        .. verb.Split(' '), "--cidfile", Podman.NextCidFile(),
        .. Has(args, "--pod=") || Has(args, "--cgroups=disabled") ? (string[])[] : ["--cgroup-parent", $"/{TestRun.Token}"],
        .. Has(args, "--pod=") || Has(args, "--network=") ? (string[])[] : ["--network=none"],
        .. args.Contains("bb") ? args : ["bb", .. args],
    ];

    private static bool Has(string[] args, string option) => args.Any(word => word.StartsWith(option, StringComparison.Ordinal));

    private protected static CommandResult Run(params string[] args) => Podman.Run(Line("run --rm", args));

    /// <summary>What a shell in a container prints; the last argument is its script.</summary>
    private protected static CommandResult Shell(params string[] args) => Run([.. args[..^1], "bb", "sh", "-c", args[^1]]);

    private protected static void Detached(string name, params string[] args) =>
        Podman.Run(Line($"run --detach --name {name}", args)).ShouldSucceed();

    private protected static CommandResult Do(params string[] args) => Podman.Run(args).ShouldSucceed();

    private protected static string Inspect(string name, string format) => Do("inspect", "--format", format, name).Text;

    private protected static ProcessView Init(string name) => new(int.Parse(Inspect(name, "{{.State.Pid}}")));

    private protected static void WaitLog(string name, string text) =>
        Eventually.True(() => Podman.Run("logs", name).Stdout.Contains(text), $"\"{text}\" in the log of {name}");

    private protected static string Limit(ProcessView init, string controller, string file)
    {
        Requires.V1Controller(controller);
        return File.ReadAllText($"{init.CgroupDirectory(controller)}/{file}").Trim();
    }

    /// <summary>A path that nothing has yet; it goes with Podman's own files.</summary>
    private protected static string NewPath() =>
        $"{Directory.CreateDirectory($"{Podman.Directory}/files").FullName}/{TestRun.NextNumber()}";

    private protected static string NewFile(string content)
    {
        string path = NewPath();
        File.WriteAllText(path, content);
        return path;
    }

    /// <summary>A directory of the host's with one file, `file`, for volumes.</summary>
    private protected static string NewVolume()
    {
        string path = Directory.CreateDirectory(NewPath()).FullName;
        File.WriteAllText($"{path}/file", "from the host\n");
        return path;
    }

    private protected static (uint Uid, uint Gid) Owner(string path)
    {
        uint[] ids = [.. Command.Run("stat", "-c", "%u %g", path).ShouldSucceed().Text.Split(' ').Select(uint.Parse)];
        return (ids[0], ids[1]);
    }
}
