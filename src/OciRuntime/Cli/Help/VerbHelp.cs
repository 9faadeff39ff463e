namespace OciRuntime.Cli;

/// <summary>The prose of a command's help.</summary>
/// <param name="Text">What the command does, in a paragraph or two.</param>
/// <param name="Examples">One to three commands worth copying.</param>
/// <param name="ExitCodes">Exit codes; null for the usual pair.</param>
public sealed record VerbHelp(string Text, HelpExample[] Examples, HelpExitCode[]? ExitCodes = null);

/// <summary>A command line and why one would type it.</summary>
public sealed record HelpExample(string Purpose, string Command);

/// <summary>An exit code as the help prints it, for example <c>128+N</c>.</summary>
public sealed record HelpExitCode(string Code, string Meaning);
