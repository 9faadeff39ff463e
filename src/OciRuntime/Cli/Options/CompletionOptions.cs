using CommandLine;

namespace OciRuntime.Cli;

[Verb("completion", HelpText = "print a script with which a shell completes commands")]
public sealed class CompletionOptions : VerbOptions
{
    [Value(0, MetaName = "bash|zsh|fish", Required = true, HelpText = "the shell")]
    public string Shell { get; set; } = "";

    public override Arity Arity => Arity.One;

    public override void AcceptArgument(int index, string value) =>
        Shell = value is "bash" or "zsh" or "fish" ? value : throw new UsageException($"no completion for the shell \"{value}\": bash, zsh and fish have one");

    public override VerbHelp Describe() => new(
        """
        Prints a script for the shell that completes commands, options, their values, and the names of containers. "./build.sh install" puts the
        scripts where the shells look for them.
        """,
        [
            new("In this bash, until it ends", "source <(ocirun completion bash)"),
            new("In every zsh", "ocirun completion zsh > /usr/local/share/zsh/site-functions/_ocirun"),
            new("In every fish of this user", "ocirun completion fish > ~/.config/fish/completions/ocirun.fish"),
        ]);
}
