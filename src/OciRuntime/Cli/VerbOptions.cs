using CommandLine;

namespace OciRuntime.Cli;

/// <summary>The options and arguments of one command, and what its <c>[Verb]</c> says.</summary>
public abstract partial class VerbOptions : OptionSet
{
    [Option('h', "help", HelpText = "show this help")]
    public bool Help { get; set; }

    [Option('v', "version", HelpText = "show the version", Hidden = true)]
    public bool Version { get; set; }

    [Option('?', "usage", Hidden = true, HelpText = "crun's spellings of --help")]
    public bool Usage { get => Help; set => Help = value; }

    /// <summary>The command as it is typed.</summary>
    public abstract string VerbName { get; }

    /// <summary>The line about it in the list of commands.</summary>
    public abstract string Summary { get; }

    /// <summary>How many arguments it takes.</summary>
    public abstract Arity Arity { get; }

    /// <summary>
    /// True for commands such as exec and ps, where everything after the first argument belongs to somebody else, dashes and all.
    /// </summary>
    public virtual bool OptionsEndAtFirstArgument => false;

    /// <summary>The container that the command is about, for the log; null when it is about none.</summary>
    internal virtual string? ContainerId => null;

    /// <summary>Takes argument number <paramref name="index"/>; never called beyond <see cref="Arity"/>.</summary>
    public virtual void AcceptArgument(int index, string value) => throw new ArgumentOutOfRangeException(nameof(index));

    /// <summary>The arguments in their order, for help, manual pages and completions.</summary>
    public virtual ArgumentDescription[] DescribeArguments() => [];

    /// <summary>What the help says beyond the lists of options and arguments.</summary>
    public abstract VerbHelp Describe();
}
