using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <summary>What an engine does differently from one version to the next, whatever the runtime.</summary>
internal static class Engine
{
    private static readonly ConcurrentDictionary<string, Version> Versions = new();

    /// <summary>
    /// Since 1.7, containerd takes a task that ended while it was away for one that was never made, and forgets it with its exit code
    /// ("cleaning leaked shim process" in its log); unless the shim still names a process of it, which ours does.
    /// </summary>
    public static bool ForgetsTasksThatEndedAlone(ShimKind shim) => shim == ShimKind.Stock && IsAtLeast("containerd", new(1, 7));

    /// <summary>
    /// What keeps dockerd from lowering its own oom_score_adj, which needs CAP_SYS_RESOURCE; since version 25 it no longer tries, and
    /// refuses the setting.
    /// </summary>
    public static string[] DockerdOptions => IsAtLeast("dockerd", new(25, 0)) ? [] : ["--oom-score-adjust=0"];

    /// <summary>Skips a test where Podman is too old to know pasta.</summary>
    public static void NeedsPasta()
    {
        if (!IsAtLeast("podman", new(4, 4))) Assert.Ignore("missing: Podman 4.4");
    }

    /// <summary>A runtime of the Container Runtime Interface may have a runtime_path.</summary>
    public static bool ContainerdKnowsPaths => IsAtLeast("containerd", new(1, 7));

    /// <summary>daemon.json may have a runtimeType.</summary>
    public static bool DockerKnowsShims => IsAtLeast("dockerd", new(23, 0));

    private static bool IsAtLeast(string program, Version version) => Versions.GetOrAdd(program, static program =>
        Version.Parse(Regex.Match(Command.Run(Requires.Tool(program), "--version").ShouldSucceed().Text, @"\d+\.\d+").Value)) >= version;
}
