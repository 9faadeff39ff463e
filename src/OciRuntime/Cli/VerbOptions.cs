using CommandLine;

namespace OciRuntime.Cli;

/// <summary>The options and arguments of one command.</summary>
public abstract class VerbOptions : OptionSet
{
    [Option('h', "help", HelpText = "show this help")]
    public bool Help { get; set; }

    [Option('v', "version", HelpText = "show the version", Hidden = true)]
    public bool Version { get; set; }

    [Option('?', "usage", Hidden = true, HelpText = "crun's spellings of --help")]
    public bool Usage { get => Help; set => Help = value; }

    /// <summary>The container that the command is about, for the log; null when it is about none.</summary>
    internal virtual string? ContainerId => null;

    /// <summary>How many arguments the command takes; the <c>[Value]</c> attributes say the same.</summary>
    public abstract Arity Arity { get; }

    /// <summary>True for commands such as exec and ps, where everything after the first argument belongs to somebody else, dashes and all.</summary>
    public virtual bool OptionsEndAtFirstArgument => false;

    /// <summary>What the help says beyond the option list. Only asked for when help is shown.</summary>
    public abstract VerbHelp Describe();

    /// <summary>Takes argument number <paramref name="index"/>; never called beyond <see cref="Arity"/>.</summary>
    public virtual void AcceptArgument(int index, string value)
    {
    }

    public override bool Accept(string name, ref ArgumentCursor a)
    {
        switch (name)
        {
            case "help" or "h": Help = a.Flag(); return true;
            case "version" or "v": Version = a.Flag(); return true;
            case "usage" or "?": Usage = a.Flag(); return true;
            default: return false;
        }
    }
}
