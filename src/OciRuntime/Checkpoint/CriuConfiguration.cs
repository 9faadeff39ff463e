using OciRuntime.Spec;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Which configuration file criu is to read after the request, whose settings it overrides (criu(8), "CONFIGURATION FILES").
/// </summary>
internal static class CriuConfiguration
{
    /// <summary>
    /// runc's: what an administrator has set there for containers shall hold for all runtimes. criu does without when it is not there.
    /// </summary>
    private const string Default = "/etc/criu/runc.conf";

    /// <summary>The file, or null for none, which an empty annotation means.</summary>
    public static string? Of(SortedDictionary<string, string> annotations) =>
        !annotations.TryGetValue(Annotations.CriuConfig, out string? named) ? Default : named.Length == 0 ? null : named;
}
