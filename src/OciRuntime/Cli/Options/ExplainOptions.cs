using CommandLine;

namespace OciRuntime.Cli;

[Verb("explain", HelpText = "show step by step what create would do, without doing it")]
[Command(190)]
public sealed partial class ExplainOptions : BundleOptions
{
    public const string DefaultId = "explain";

    [Option("format", MetaValue = "FORMAT", Default = DocumentFormat.Text, HelpText = "text or json")]
    public DocumentFormat Format { get; set; }

    [Value(0, MetaName = "container-id", Default = DefaultId, HelpText = "name to assume for the container")]
    public override string Id { get; set; } = DefaultId;

    public override VerbHelp Describe() => new(
        """
        Compiles config.json into the plan that "ocirun create" would execute and prints it: every step in order, each with the place in
        config.json that asked for it. Nothing is created or changed.
        """,
        [
            new("Explain the bundle in the current directory", "ocirun explain"),
            new("What differs between two bundles?", "diff <(ocirun explain -b old) <(ocirun explain -b new)"),
        ]);
}

/// <summary>How a single document is printed.</summary>
public enum DocumentFormat
{
    Text, Json,
}
