namespace OciRuntime.Cli;

/// <summary>The message about too few or too many arguments, in runc's words.</summary>
internal static class ArityMistake
{
    public static UsageException Of(VerbDefinition verb, Arity arity, int given)
    {
        string needed = arity switch
        {
            { Max: 0 } => "takes no arguments",
            _ when arity.Min == arity.Max => $"requires exactly {Plural(arity.Min)}",
            _ when given < arity.Min => $"requires at least {Plural(arity.Min)}",
            _ => $"takes at most {Plural(arity.Max)}",
        };
        string names = string.Concat(VerbDescription.ArgumentsOf(verb.OptionsType).Select(a => $" {a.Usage}"));
        return new($"\"{verb.Name}\" {needed}{(names.Length == 0 ? "" : ":" + names)} (got {given})");
    }

    private static string Plural(int n) => n == 1 ? "1 argument" : $"{n} arguments";
}
