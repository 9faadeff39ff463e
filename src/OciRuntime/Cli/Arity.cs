namespace OciRuntime.Cli;

/// <summary>How many arguments (not options) a command takes.</summary>
public readonly record struct Arity(int Min, int Max)
{
    /// <summary>The message about too few or too many arguments, in runc's words.</summary>
    internal static UsageException Mistake(VerbOptions verb, int given)
    {
        Arity arity = verb.Arity;
        string needed = arity switch
        {
            { Max: 0 } => "takes no arguments",
            _ when arity.Min == arity.Max => $"requires exactly {Plural(arity.Min)}",
            _ when given < arity.Min => $"requires at least {Plural(arity.Min)}",
            _ => $"takes at most {Plural(arity.Max)}",
        };
        string names = string.Concat(verb.DescribeArguments().Select(static a => $" {a.Usage}"));
        return new($"\"{verb.VerbName}\" {needed}{(names.Length == 0 ? "" : ":" + names)} (got {given})");
    }

    private static string Plural(int n) => n == 1 ? "1 argument" : $"{n} arguments";
}
