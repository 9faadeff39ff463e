namespace OciRuntime.Cli;

/// <summary>Messages about names that do not exist, with the name that was probably meant.</summary>
internal static class UnknownNames
{
    public static UsageException Verb(string name) =>
        new($"unknown command \"{name}\"{DidYouMean(name, Verbs.All.Select(static v => v.VerbName), "")}");

    public static UsageException GlobalOption(string word)
    {
        string name = BareName(word);
        if (Array.Find(Verbs.All, v => HasOption(v, name)) is { } verb)
        {
            string example = $"{CommandLineReader.ProgramName} {verb.VerbName} {Dashed(word)}";
            return new($"unknown global flag \"{Dashed(word)}\"; it belongs after the command, as in \"{example}\"");
        }
        return new($"unknown global flag \"{Dashed(word)}\"{DidYouMean(name, VisibleNames(new GlobalOptions()), "--")}");
    }

    public static UsageException VerbOption(VerbOptions verb, string word)
    {
        string name = BareName(word);
        bool isGlobal = HasOption(new GlobalOptions(), name);
        string hint = isGlobal ? "; it is a global flag and belongs before the command" : DidYouMean(name, VisibleNames(verb), "--");
        return new($"unknown flag \"{Dashed(word)}\" for \"{verb.VerbName}\"{hint}");
    }

    private static bool HasOption(OptionSet set, string name) => Array.Exists(set.DescribeOptions(), o => o.Long == name);

    private static IEnumerable<string> VisibleNames(OptionSet set) =>
        set.DescribeOptions().Where(static o => !o.Hidden).Select(static o => o.Long);

    private static string Dashed(string word) => word.Split('=')[0];

    private static string BareName(string word) => Dashed(word).TrimStart('-');

    private static string DidYouMean(string name, IEnumerable<string> candidates, string prefix)
    {
        int most = Math.Max(1, name.Length / 3);
        // It is never less than the difference in length, and takes a table of the size of both: a word may have 128 KiB.
        string? best = candidates.Where(c => Math.Abs(name.Length - c.Length) <= most)
            .Select(c => (Name: c, Distance: EditDistance(name, c))).Where(c => c.Distance <= most)
            .OrderBy(static c => c.Distance).Select(static c => c.Name).FirstOrDefault();
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
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
