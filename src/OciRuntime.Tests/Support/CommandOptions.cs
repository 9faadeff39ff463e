namespace OciRuntime.Tests.Support;

/// <summary>How to run a command, apart from its arguments. The defaults suit most tests.</summary>
public sealed record CommandOptions
{
    /// <summary>Time that suffices for every single runtime operation on a slow machine.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(30);

    /// <summary>Text for stdin; null means /dev/null.</summary>
    public string? Stdin { get; init; }

    /// <summary>A file descriptor for stdin, for example a pipe or a pty; wins over <see cref="Stdin"/>.</summary>
    public int? StdinFd { get; init; }

    /// <summary>A file descriptor for stdout instead of capturing it.</summary>
    public int? StdoutFd { get; init; }

    /// <summary>A file descriptor for stderr instead of capturing it.</summary>
    public int? StderrFd { get; init; }

    /// <summary>When it is over, the command is killed and the call throws.</summary>
    public TimeSpan Timeout { get; init; } = DefaultTimeout;

    /// <summary>Variables to set, or with null to remove, in the inherited environment.</summary>
    public IReadOnlyDictionary<string, string?> Env { get; init; } = new Dictionary<string, string?>();

    /// <summary>Descriptors that the command gets as 3, 4, 5 …</summary>
    public IReadOnlyList<int> ExtraFds { get; init; } = [];

    /// <summary>Directory to run in; null means the tests' own.</summary>
    public string? WorkingDirectory { get; init; }

    /// <summary>Starts a new session, so that the command has no controlling terminal.</summary>
    public bool NewSession { get; init; }
}
