namespace OciRuntime.Tests.Support;

/// <summary>
/// What marks everything this test process makes, so that leftovers can be found by name and told from those of a run beside it.
/// </summary>
public static class TestRun
{
    private static int _lastNumber;

    /// <summary>Part of every container id and cgroup path: <c>ocirun-test-PID</c>.</summary>
    public static string Token { get; } = $"{TokenPrefix}{Environment.ProcessId}";

    internal const string TokenPrefix = "ocirun-test-";
    internal const string RootPrefix = "ocirun-tests-";

    /// <summary>Directory for everything this run puts on disk; short, because socket paths are limited to 108 bytes.</summary>
    public static string Root { get; } = CreateRoot();

    /// <summary>Whether this process is root as system tests need it. Unit tests run without it, even when root calls them.</summary>
    public static bool MayChangeTheHost { get; } = Requires.HasCapability(Requires.CapSysAdmin);

    internal static string Parent => Environment.GetEnvironmentVariable("OCIRUN_TEST_TMP") ?? "/tmp";

    /// <summary>A number that no other bundle, container or socket of this run has.</summary>
    public static int NextNumber() => Interlocked.Increment(ref _lastNumber);

    /// <summary>A new empty directory below <see cref="Root"/>; <paramref name="kind"/> groups them (bundles, state …).</summary>
    public static string NewDirectory(string kind) => Directory.CreateDirectory(NewPath(kind)).FullName;

    /// <summary>A path below <see cref="Root"/> where nothing exists yet; its parent directory does.</summary>
    public static string NewPath(string kind, string suffix = "")
    {
        string parent = Directory.CreateDirectory(Path.Combine(Root, kind)).FullName;
        return Path.Combine(parent, $"{NextNumber()}{suffix}");
    }

    private static string CreateRoot()
    {
        string root = Path.Combine(Parent, $"{RootPrefix}{Environment.ProcessId}");
        Directory.CreateDirectory(root);
        // Tests with user namespaces or another user must be able to walk through.
        File.SetUnixFileMode(root, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
            | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
        return root;
    }
}
