using NUnit.Framework;

namespace OciRuntime.Tests.Support;

/// <summary>
/// The published binary under test: $RT if set (another runtime, to see whether a test tests the contract or our habits),
/// else $OCIRUN_BINARY, else out/ocirun of this checkout.
/// </summary>
public static class Ocirun
{
    private static readonly Lazy<RuntimeBinary> Found = new(Locate);
    private static RuntimeBinary? _instead;

    /// <summary>The binary; the first use fails the test when there is none.</summary>
    [NeedsMachine]
    public static RuntimeBinary Binary => _instead ?? Found.Value;

    /// <summary>Has a test of an attack be made on a runtime that falls for it.</summary>
    internal static void Instead(RuntimeBinary runtime, Action test)
    {
        _instead = runtime;
        try
        {
            test();
        }
        finally
        {
            _instead = null;
        }
    }

    /// <summary>True unless $RT names another runtime.</summary>
    public static bool IsUnderTest => Binary.IsOcirun;

    /// <summary>Debian's runc, or null.</summary>
    public static RuntimeBinary? Runc => Peer("runc");

    /// <summary>Debian's crun, or null.</summary>
    public static RuntimeBinary? Crun => Peer("crun");

    /// <summary>The top directory of the checkout.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    /// <summary>Runs a command to its end.</summary>
    public static CommandResult Run(params string[] args) => Binary.Run(args);

    /// <summary>Runs a command with stdin, time-out, environment or descriptors of its own.</summary>
    public static CommandResult Run(IEnumerable<string> args, CommandOptions options) => Binary.Run(args, options);

    /// <summary>Starts a command without waiting.</summary>
    public static RunningCommand Start(IEnumerable<string> args, CommandOptions? options = null) =>
        Binary.Start(args, options ?? new CommandOptions());

    private static RuntimeBinary Locate()
    {
        string path = Environment.GetEnvironmentVariable("RT")
            ?? Environment.GetEnvironmentVariable("OCIRUN_BINARY")
            ?? Path.Combine(RepositoryRoot, "out", "ocirun");
        if (!File.Exists(path)) Assert.Fail($"no runtime to test at {path}: run ./build.sh first, or set OCIRUN_BINARY");
        return new RuntimeBinary(Path.GetFullPath(path));
    }

    private static RuntimeBinary? Peer(string name)
    {
        string[] directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin"];
        string? path = directories.Select(directory => Path.Combine(directory, name)).FirstOrDefault(File.Exists);
        return path is null ? null : new RuntimeBinary(path);
    }

    private static string FindRepositoryRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "OciRuntime.sln"))) directory = directory.Parent;
        return directory?.FullName ?? throw new DirectoryNotFoundException($"no OciRuntime.sln above {AppContext.BaseDirectory}");
    }
}
