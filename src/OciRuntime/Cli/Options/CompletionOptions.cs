using CommandLine;

namespace OciRuntime.Cli;

/// <summary>Shells that have a completion script.</summary>
public enum Shell
{
    Bash,
    Zsh,
    Fish,
}

[Verb("completion", HelpText = "print a script with which a shell completes commands")]
[Command(240)]
public sealed partial class CompletionOptions : VerbOptions
{
    [Value(0, Required = true, HelpText = "the shell")]
    public Shell Shell { get; set; }

    public override VerbHelp Describe() => new(
        """
        Prints a script for the shell that completes commands, options, their values, and the names of containers. "./build.sh install" puts
        the scripts where the shells look for them.
        """,
        [
            new("In this bash, until it ends", "source <(ocirun completion bash)"),
            new("In every zsh", "ocirun completion zsh > /usr/local/share/zsh/site-functions/_ocirun"),
            new("In every fish of this user", "ocirun completion fish > ~/.config/fish/completions/ocirun.fish"),
        ]);
}
