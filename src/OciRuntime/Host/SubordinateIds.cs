using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>
/// The id ranges that the administrator gave a user (subuid(5), subgid(5)). For messages only: newuidmap and newgidmap decide.
/// </summary>
internal static class SubordinateIds
{
    /// <summary>Where newuidmap and newgidmap come from, for messages.</summary>
    public const string InstallMappers = "install it (Debian: uidmap, Fedora: shadow-utils)";

    private const int Limit = 16 << 20;

    /// <summary>"100000:65536, …" from the lines of this user in /etc/subuid or /etc/subgid; empty when there are none.</summary>
    public static string Of(uint uid, string file)
    {
        string number = uid.ToString();
        string? name = Lines("/etc/passwd").Find(fields => fields is [_, _, var id, ..] && id == number)?[0];
        List<string[]> own = Lines(file).FindAll(fields => fields.Length == 3 && (fields[0] == number || fields[0] == name));
        return string.Join(", ", own.ConvertAll(static fields => $"{fields[1]}:{fields[2]}"));
    }

    private static List<string[]> Lines(string path)
    {
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, path, Limit, out _) ?? [];
        return [.. Array.ConvertAll(Encoding.UTF8.GetString(text).Split('\n', StringSplitOptions.RemoveEmptyEntries),
            static line => line.Split(':'))];
    }
}
