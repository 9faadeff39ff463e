using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// The pid file: decimal, no newline (containerd parses it with strconv.Atoi), there at once and whole (BuildKit reads it the moment the
/// runtime exits), and only once the process is known to run.
/// </summary>
internal static class PidFile
{
    public static void Write(string path, int pid)
    {
        byte[] text = Encoding.ASCII.GetBytes(pid.ToString());
        long result = WriteNew(path, text);
        // Taken, or a file system without nameless files.
        if (result < 0) result = Replace(path, text);
        OciException.Check(result, $"--pid-file {path}");
    }

    /// <summary>Writes a file without a name and names it at the end: a runtime that is killed meanwhile leaves nothing.</summary>
    private static long WriteNew(string path, byte[] text)
    {
        int slash = path.LastIndexOf('/');
        string directory = slash < 0 ? "." : path[..(slash + 1)];
        long fd = Files.OpenAt(Files.AT_FDCWD, directory, Files.O_WRONLY | Files.O_TMPFILE, FileModes.UsersFile);
        if (fd < 0) return fd;
        long result = Files.WriteAll((int)fd, text);
        if (result >= 0) result = Files.LinkAt(Files.AT_FDCWD, $"/proc/self/fd/{fd}", Files.AT_FDCWD, path, Files.AT_SYMLINK_FOLLOW);
        long closed = Files.Close((int)fd);
        return result < 0 ? result : closed;
    }

    private static long Replace(string path, byte[] text)
    {
        int slash = path.LastIndexOf('/');
        string temporary = $"{path[..(slash + 1)]}.{path[(slash + 1)..]}.{Processes.Pid()}";
        long result =
            Files.OpenAt(Files.AT_FDCWD, temporary, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW, FileModes.UsersFile);
        if (result < 0) return result;
        int fd = (int)result;
        result = Files.WriteAll(fd, text);
        long closed = Files.Close(fd);
        if (result >= 0) result = closed;
        if (result >= 0) result = Files.RenameAt(Files.AT_FDCWD, temporary, Files.AT_FDCWD, path);
        // The error to tell is the one that led here.
        if (result < 0) Files.UnlinkAt(Files.AT_FDCWD, temporary);
        return result;
    }
}
