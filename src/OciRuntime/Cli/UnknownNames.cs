namespace OciRuntime.Cli;

/// <summary>Messages about names that do not exist, with the name that was probably meant.</summary>
internal static class UnknownNames
{
    public static UsageException Verb(string name) =>
        new($"unknown command \"{name}\"{DidYouMean(name, Verbs.All.Select(v => v.Name), "")}");

    public static UsageException GlobalOption(string word)
    {
        string name = BareName(word);
        foreach (VerbDefinition verb in Verbs.All)
        {
            if (HasOption(VerbDescription.OptionsOf(verb.OptionsType), name))
            {
                return new($"unknown global flag \"{Dashed(word)}\"; it belongs after the command, as in \"{CommandLineReader.ProgramName} {verb.Name} {Dashed(word)}\"");
            }
        }

        return new($"unknown global flag \"{Dashed(word)}\"{DidYouMean(name, VisibleNames(VerbDescription.GlobalOptions()), "--")}");
    }

    public static UsageException VerbOption(VerbDefinition verb, string word)
    {
        string name = BareName(word);
        return new(HasOption(VerbDescription.GlobalOptions(), name)
            ? $"unknown flag \"{Dashed(word)}\" for \"{verb.Name}\"; it is a global flag and belongs before the command"
            : $"unknown flag \"{Dashed(word)}\" for \"{verb.Name}\"{DidYouMean(name, VisibleNames(VerbDescription.OptionsOf(verb.OptionsType)), "--")}");
    }

    private static bool HasOption(OptionDescription[] options, string name) => Array.Exists(options, o => o.Long == name);

    private static IEnumerable<string> VisibleNames(OptionDescription[] options) => options.Where(o => !o.Hidden).Select(o => o.Long);

    private static string Dashed(string word) => word.Split('=')[0];

    private static string BareName(string word) => Dashed(word).TrimStart('-');

    private static string DidYouMean(string name, IEnumerable<string> candidates, string prefix)
    {
        string? best = candidates.Select(c => (Name: c, Distance: EditDistance(name, c))).Where(c => c.Distance <= Math.Max(1, name.Length / 3))
            .OrderBy(c => c.Distance).Select(c => c.Name).FirstOrDefault();
        return best is null ? "" : $"; did you mean \"{prefix}{best}\"?";
    }

    /// <summary>Letters to insert, remove, replace or swap with their neighbour to get from one word to the other.</summary>
    internal static int EditDistance(string a, string b)
    {
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                d[i, j] = i == 0 || j == 0
                    ? i + j
                    : Math.Min(Math.Min(d[i - 1, j] + 1, d[i, j - 1] + 1), d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
