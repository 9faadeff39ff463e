namespace OciRuntime.Cli;

/// <summary>Makes the help texts from the options' attributes.</summary>
public static class HelpPrinter
{
    /// <summary>The help of one command, or of the program when <paramref name="verb"/> is null.</summary>
    public static string Text(VerbDefinition? verb) => throw new NotImplementedException();

    /// <summary>Writes <see cref="Text"/> to standard output.</summary>
    public static void Print(VerbDefinition? verb) => throw new NotImplementedException();
}
