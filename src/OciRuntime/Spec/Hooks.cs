namespace OciRuntime.Spec;

/// <summary>config.md, "POSIX-platform Hooks"; each list runs in order.</summary>
public sealed class Hooks
{
    /// <summary>Deprecated: before createRuntime, runtime namespace.</summary>
    public Hook[] Prestart { get; internal set; } = [];

    /// <summary>Environment made, root not yet pivoted; runtime namespace.</summary>
    public Hook[] CreateRuntime { get; internal set; } = [];

    /// <summary>Same moment, container namespaces, path of the host.</summary>
    public Hook[] CreateContainer { get; internal set; } = [];

    /// <summary>Before the user's process, inside the container.</summary>
    public Hook[] StartContainer { get; internal set; } = [];

    /// <summary>After the user's process started; runtime namespace.</summary>
    public Hook[] Poststart { get; internal set; } = [];

    /// <summary>After delete; runtime namespace.</summary>
    public Hook[] Poststop { get; internal set; } = [];
}

/// <summary>One program.</summary>
public sealed class Hook
{
    /// <summary>Absolute path of the program.</summary>
    public string Path { get; internal set; } = "";

    /// <summary>argv, argv[0] included; empty means the path alone.</summary>
    public string[] Args { get; internal set; } = [];

    /// <summary>
    /// Environment, NAME=VALUE. Null, as when it is not given, is not the same as an empty list: then it is that of whoever runs the hook,
    /// and for startContainer that of the container's program.
    /// </summary>
    public string[]? Env { get; internal set; }

    /// <summary>Seconds until it is killed; null means no limit.</summary>
    public int? Timeout { get; internal set; }

    /// <summary>What is done with it, as one of the list <paramref name="kind"/>.</summary>
    internal string Words(string kind) => $"run the {kind} hook {Path}{(Timeout is { } seconds ? $", for no more than {seconds} s" : "")}";
}
