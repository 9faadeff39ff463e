using System.Net;
using OciRuntime.Linux;

namespace OciRuntime.Shim;

/// <summary>The names of streams that are no paths: SCHEME://PATH?KEY=VALUE&amp;…</summary>
internal static class StreamUri
{
    private const string Separator = "://";

    /// <summary>What stands before "://"; empty for a path.</summary>
    /// <exception cref="OciException">Nothing is known of it.</exception>
    public static string Scheme(string name)
    {
        int end = name.IndexOf(Separator, StringComparison.Ordinal);
        string scheme = end < 0 ? "" : name[..end];
        return scheme is "" or "fifo" or "file" or "binary" ? scheme
            : throw new OciException($"unknown STDIO scheme {scheme}: there are fifo, file and binary", Errno.EINVAL);
    }

    /// <summary>Of a named pipe, which may be called so or not.</summary>
    public static string Fifo(string name) => Scheme(name) == "fifo" ? Path(name) : name;

    public static string Path(string name)
    {
        string rest = name[(name.IndexOf(Separator, StringComparison.Ordinal) + Separator.Length)..];
        return WebUtility.UrlDecode(rest.Split('?')[0].Replace("+", "%2B", StringComparison.Ordinal));
    }

    /// <summary>Each key and each value that is not empty, in their order.</summary>
    public static List<string> Words(string name)
    {
        List<string> words = [];
        string[] parts = name.Split('?', 2);
        foreach (string pair in parts.Length < 2 ? [] : parts[1].Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            foreach (string word in pair.Split('=', 2)) if (word.Length > 0) words.Add(WebUtility.UrlDecode(word));
        }
        return words;
    }
}
