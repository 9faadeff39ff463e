using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Removes files and directories without ever following a link.</summary>
internal static class DirectoryTree
{
    private const int MaxDepth = 32;

    /// <summary>Makes a directory, and those above it that are missing.</summary>
    /// <returns>False where it is there.</returns>
    /// <exception cref="OciException">One cannot be made.</exception>
    public static bool Make(string path, uint mode)
    {
        for (int slash = path.IndexOf('/', 1); slash > 0; slash = path.IndexOf('/', slash + 1)) MakeOne(path[..slash], mode);
        return MakeOne(path, mode);
    }

    /// <summary>Removes <paramref name="name"/> in <paramref name="parent"/> and all below it; absence is fine.</summary>
    public static void Remove(int parent, string name, string path, int depth = 0)
    {
        long result = Files.UnlinkAt(parent, name);
        // unlink(2) of a directory: EISDIR on Linux, EPERM by POSIX.
        if (result is -Errno.EISDIR or -Errno.EPERM)
        {
            long fd = Files.OpenAt(parent, name, Files.O_RDONLY | Files.O_DIRECTORY | Files.O_NOFOLLOW);
            if (fd >= 0)
            {
                using Fd directory = new((int)fd);
                RemoveContents(directory.Number, path, depth + 1);
                result = Files.UnlinkAt(parent, name, Files.AT_REMOVEDIR);
            }
        }
        if (result < 0 && result != -Errno.ENOENT) throw OciException.FromResult(result, $"remove {path}");
    }

    private static bool MakeOne(string path, uint mode)
    {
        long result = Files.MakeDirectoryAt(Files.AT_FDCWD, path, mode);
        if (result == -Errno.EEXIST) return false;
        // A read-only or forbidden parent says so even when the directory is there; opening it in the end is what counts.
        if (result is -Errno.EROFS or -Errno.EACCES && Files.StatAt(Files.AT_FDCWD, path, 0, out _) == 0) return false;
        OciException.Check(result, $"mkdir {path}");
        return true;
    }

    private static void RemoveContents(int directory, string path, int depth)
    {
        if (depth > MaxDepth) throw new OciException($"remove {path}: nested too deeply");
        List<string> names = Files.ListDirectory(directory, out long error);
        OciException.Check(error, $"read directory {path}");
        foreach (string name in names) Remove(directory, name, $"{path}/{name}", depth);
    }
}
