using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Tests.Support;

/// <summary>Directories whose names are bytes, as deep as one likes: .NET's own calls know text and paths only.</summary>
internal static unsafe class RawDirectories
{
    /// <summary>Makes one below the other and moves a process into the innermost, if there is one to move.</summary>
    public static void Nest(string top, IEnumerable<byte[]> names, int pid = 0)
    {
        int current = Open(Files.AT_FDCWD, Encoding.UTF8.GetBytes(top));
        foreach (byte[] name in names)
        {
            fixed (byte* p = Terminated(name)) OciException.Check(Files.MakeDirectoryAt(current, p, 0x1ed), "mkdir");
            int inner = Open(current, name);
            Files.Close(current);
            current = inner;
        }
        if (pid != 0) OciException.Check(Files.WriteFileAt(current, "cgroup.procs", $"{pid}"), "write cgroup.procs");
        Files.Close(current);
    }

    /// <summary>Gives a directory another name; the result of the system call.</summary>
    public static long Rename(string parent, string from, string to)
    {
        int directory = Open(Files.AT_FDCWD, Encoding.UTF8.GetBytes(parent));
        long result = Files.RenameAt(directory, from, directory, to);
        Files.Close(directory);
        return result;
    }

    private static int Open(int directory, byte[] name)
    {
        fixed (byte* p = Terminated(name))
            return (int)OciException.Check(Files.OpenAt(directory, p, Files.O_RDONLY | Files.O_DIRECTORY), "open a directory");
    }

    private static byte[] Terminated(byte[] name) => [.. name, 0];
}
