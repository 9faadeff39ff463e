using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// The pid file: decimal, no newline (containerd parses it with strconv.Atoi), replaced in one step (BuildKit reads it the moment the
/// runtime exits), and only once the process is known to run.
/// </summary>
internal static class PidFile
{
    public static void Write(string path, int pid)
    {
        int slash = path.LastIndexOf('/');
        string temporary = $"{path[..(slash + 1)]}.{path[(slash + 1)..]}.{Processes.Pid()}";
        long result = Files.OpenAt(Files.AT_FDCWD, temporary, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW, 0x1b6);
        if (result >= 0)
        {
            int fd = (int)result;
            result = Files.WriteAll(fd, Encoding.ASCII.GetBytes(pid.ToString()));
            long closed = Files.Close(fd);
            if (result >= 0) result = closed;
            if (result >= 0) result = Files.RenameAt(Files.AT_FDCWD, temporary, Files.AT_FDCWD, path);
            if (result < 0) Files.UnlinkAt(Files.AT_FDCWD, temporary);
        }
        OciException.Check(result, $"--pid-file {path}");
    }
}
