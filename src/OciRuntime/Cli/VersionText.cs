namespace OciRuntime.Cli;

/// <summary>What --version prints. Clients look for a line with the word "version", and for "commit: " and "spec: " lines (moby, go-runc).</summary>
internal static class VersionText
{
    /// <summary>The version of the runtime specification it implements.</summary>
    public const string Specification = "1.3.0";

    public static string Lines => $"ocirun version {BuildInfo.Version}\ncommit: {BuildInfo.Commit}\nspec: {Specification}\n";
}
