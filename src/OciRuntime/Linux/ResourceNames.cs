namespace OciRuntime.Linux;

/// <summary>
/// Names of the resource limits, in the order of their numbers on every architecture but alpha, mips and sparc (getrlimit(2)).
/// </summary>
internal static class ResourceNames
{
    public static string[] All { get; } =
    [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK",
        "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ];

    /// <summary>The number of a limit, or -1.</summary>
    public static int Number(string name) => Array.IndexOf(All, name);
}
