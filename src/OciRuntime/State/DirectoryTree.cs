using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>Removes files and directories without ever following a link.</summary>
internal static class DirectoryTree
{
    private const int MaxDepth = 32;

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

    private static void RemoveContents(int directory, string path, int depth)
    {
        if (depth > MaxDepth) throw new OciException($"remove {path}: nested too deeply");
        List<string> names = Files.ListDirectory(directory, out long error);
        OciException.Check(error, $"read directory {path}");
        foreach (string name in names) Remove(directory, name, $"{path}/{name}", depth);
    }
}
