namespace OciRuntime.Cli;

/// <summary>The commands of this program: the classes with a <c>[Verb]</c>.</summary>
public static partial class Verbs
{
    /// <summary>All of them, with nothing read yet, in the order the help lists them.</summary>
    public static partial VerbOptions[] All { get; }

    /// <summary>A new one, or null when there is no such command.</summary>
    public static partial VerbOptions? Find(string name);

    /// <exception cref="UsageException">There is no such command.</exception>
    public static VerbOptions Named(string name) => Find(name) ?? throw UnknownNames.Verb(name);
}
