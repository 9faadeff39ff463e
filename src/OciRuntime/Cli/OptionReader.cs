namespace OciRuntime.Cli;

/// <summary>Takes apart one word that starts with a dash.</summary>
internal static class OptionReader
{
    /// <summary>Hands <paramref name="word"/> to <paramref name="set"/>; false when it names an option that is not there.</summary>
    public static bool TryRead(OptionSet set, string word, ref ArgumentCursor a)
    {
        // Go's flag package, and so runc and its clients, makes no difference between -name and --name (containerd sends -no-subreaper).
        int dashes = word[1] == '-' ? 2 : 1;
        int equals = word.IndexOf('=');
        int end = equals < 0 ? word.Length : equals;
        if (end == dashes || word[dashes] == '-') throw new UsageException($"bad flag syntax: {word}");
        a.Enter(equals < 0 ? word : word[..end], equals < 0 ? null : word[end..]);
        if (set.Accept(word[dashes..end], ref a)) return true;
        return dashes == 2 ? TryReadAbbreviated(set, word, ref a) : end > 2 && TryReadCluster(set, word, ref a);
    }

    /// <summary>
    /// getopt's abbreviations, which crun has: --bun is --bundle, as long as no other option begins so. Only when there is no option of the
    /// whole name. runc's -bundle stays exact: -bun may be a cluster.
    /// </summary>
    private static bool TryReadAbbreviated(OptionSet set, string word, ref ArgumentCursor a)
    {
        string beginning = word.Split('=')[0];
        IEnumerable<string> names = set.DescribeOptions().Select(static o => "--" + o.Long);
        string[] candidates = [.. names.Where(name => name.StartsWith(beginning, StringComparison.Ordinal))];
        return candidates switch
        {
            [] => false,
            [string name] => TryRead(set, name + word[beginning.Length..], ref a),
            [.. string[] others, string last] =>
                throw new UsageException($"ambiguous flag \"{beginning}\": it may be {string.Join(", ", others)} or {last}"),
        };
    }

    // -dt is -d -t; the last letter may take a value. Only tried when no option has the whole name, so runc's reading wins.
    private static bool TryReadCluster(OptionSet set, string word, ref ArgumentCursor a)
    {
        for (int i = 1; i < word.Length; i++)
        {
            string? tail = i + 1 == word.Length ? null : word[(i + 1)..];
            a.Enter($"-{word[i]}", tail);
            if (!set.Accept(word[i].ToString(), ref a) || a.HasDubiousValue) return false;
            if (a.Tail is null) return true;
        }
        return true;
    }
}
