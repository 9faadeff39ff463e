using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>
/// Where the output of hooks goes: files that annotations name, else a pipe of the runtime, for its error messages. Whoever writes the
/// configuration can have the hooks write anywhere, so it is not that the names are distrusted; but the files may be in a directory that
/// others can write to, so a link is not followed, and a named pipe without a reader does not hold the launch up.
/// </summary>
internal sealed class HookOutput : IDisposable
{
    private readonly Fd? _stdout, _stderr;

    /// <exception cref="OciException">A file cannot be opened.</exception>
    public HookOutput(IReadOnlyDictionary<string, string> annotations)
    {
        _stdout = Open(annotations, Annotations.HooksStdout);
        try
        {
            _stderr = Open(annotations, Annotations.HooksStderr);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Descriptors, -1 for the pipe.</summary>
    public int Stdout => _stdout?.Number ?? -1;

    public int Stderr => _stderr?.Number ?? -1;

    /// <summary>Where it goes, in words.</summary>
    public static List<RuntimeAction> Words(SpecMap<string> annotations)
    {
        List<RuntimeAction> words = [];
        foreach ((string stream, string key) in (ReadOnlySpan<(string, string)>)[("stdout", Annotations.HooksStdout),
            ("stderr", Annotations.HooksStderr)])
        {
            if (annotations[key] is { } path) words.Add(new($"append what hooks write to {stream} to {path}", Annotations.Pointer(key)));
        }
        return words;
    }

    private static Fd? Open(IReadOnlyDictionary<string, string> annotations, string key)
    {
        if (!annotations.TryGetValue(key, out string? path)) return null;
        // These two are links, and what they lead to, a pipe or a socket perhaps, cannot always be opened a second time.
        long fd = path switch
        {
            "/dev/stdout" => Files.Fcntl(1, Files.F_DUPFD_CLOEXEC, 3),
            "/dev/stderr" => Files.Fcntl(2, Files.F_DUPFD_CLOEXEC, 3),
            _ => Files.OpenAt(Files.AT_FDCWD, path, Files.O_WRONLY | Files.O_CREAT | Files.O_APPEND | Files.O_NOFOLLOW | Files.O_NOCTTY
                | Files.O_NONBLOCK, FileModes.PrivateFile),
        };
        Fd file = Fd.Of(fd, $"{Annotations.Pointer(key)}: open {path}");
        // Hooks write as programs do; a duplicate shares its mode with the caller's descriptor.
        if (path is not ("/dev/stdout" or "/dev/stderr"))
            OciException.Check(Files.Fcntl(file.Number, Files.F_SETFL, Files.O_APPEND), $"{Annotations.Pointer(key)}: fcntl");
        return file;
    }

    public void Dispose()
    {
        _stdout?.Dispose();
        _stderr?.Dispose();
    }
}
