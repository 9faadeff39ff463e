using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>What may name a container. Every verb checks before it touches the disk: the name becomes a directory.</summary>
internal static class ContainerId
{
    /// <summary>NAME_MAX: the ID is one component of a path.</summary>
    public const int MaxLength = 255;

    /// <summary>
    /// Throws, in runc's words, unless <paramref name="id"/> is made of <c>A-Z a-z 0-9 _ + . -</c>, does not begin with a dot and fits a
    /// file name.
    /// </summary>
    public static void Validate(string id)
    {
        if (id.Length == 0) throw new OciException("container id cannot be empty");
        if (!IsValid(id)) throw new OciException("invalid container ID format");
    }

    /// <summary>
    /// The rule of <see cref="Validate"/> as an answer. A leading dot is refused for "." and ".." and to leave hidden names to runtimes'
    /// caches.
    /// </summary>
    public static bool IsValid(string id)
    {
        if (id.Length is 0 or > MaxLength || id[0] == '.') return false;
        foreach (char c in id) if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '+' or '.' or '-')) return false;
        return true;
    }
}
