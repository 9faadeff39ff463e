using OciRuntime.Linux;
using OciRuntime.Seccomp;

namespace OciRuntime.Tracing;

/// <summary>The file of --trace, open from the beginning: one that cannot be made is an error before anything is done.</summary>
internal sealed class TraceFile
{
    private readonly Fd _file;

    private TraceFile(Fd file) => _file = file;

    /// <summary>
    /// Makes it, and begins to note. It is a new file, and no link decides where: what is said there comes from the configuration. As
    /// everything that the runtime opens it is closed in the container's process, and on execve.
    /// </summary>
    public static TraceFile Create(string path)
    {
        const int flags = Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW;
        TraceFile file = new(Fd.Of(Files.OpenAt(Files.AT_FDCWD, path, flags, FileModes.PrivateFile), $"--trace {path}"));
        Timeline.Start();
        return file;
    }

    /// <summary>Writes what has been noted, and closes it. Returns a negated errno when that fails.</summary>
    /// <param name="version">That of this program.</param>
    /// <param name="command">The command that was traced.</param>
    /// <param name="container">The container that it was about, or null.</param>
    public long Write(string version, string command, string? container)
    {
        List<TraceEvent> events = Timeline.Finish(SyscallTable.NameOf, out long lost);
        TraceDocument document = new() { Version = version, Command = command, Container = container ?? "", Lost = lost, Events = events };
        document.Names[Processes.Pid()] = "ocirun";
        foreach (TraceEvent step in events) if (step.Kind == TraceKind.Step) document.Names[step.Process] = "init";
        long written = Files.WriteAll(_file.Number, document.ToJson());
        long closed = Files.Close(_file.Release());
        return written < 0 ? written : closed;
    }
}
