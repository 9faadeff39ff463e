using System.Text;
using OciRuntime.Init;
using OciRuntime.Linux;

namespace OciRuntime.Plan;

/// <summary>Paths inside the container, as the child wants them: relative to the root, without "." and "..".</summary>
internal static class ContainerPath
{
    /// <summary>Cleans a path by its text: ".." never leaves the root. The root itself becomes ".".</summary>
    public static string Clean(string path)
    {
        if (IsClean(path)) return path.Length == 1 ? "." : path[1..];
        List<string> kept = [];
        foreach (string part in path.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == ".") continue;
            if (part != "..") kept.Add(part);
            else if (kept.Count > 0) kept.RemoveAt(kept.Count - 1);
        }
        return kept.Count == 0 ? "." : string.Join('/', kept);
    }

    /// <summary>Cleans the path of something that is made in the container.</summary>
    /// <exception cref="OciException">It is longer than the kernel's paths are.</exception>
    public static string Place(string path, Origin origin)
    {
        string clean = Clean(path);
        if (Encoding.UTF8.GetByteCount(clean) < Kernel.PathMax) return clean;
        throw new OciException(
            $"{origin}: the path is longer than the {Kernel.PathMax - 1} bytes that the kernel takes: file name too long (ENAMETOOLONG)");
    }

    /// <summary>A clean path as the program in the container sees it.</summary>
    public static string Absolute(string clean) => clean == "." ? "/" : "/" + clean;

    /// <summary>True for the path itself and everything below it, by component.</summary>
    public static bool IsBelow(string path, string parent) =>
        path.StartsWith(parent, StringComparison.Ordinal) && (path.Length == parent.Length || path[parent.Length] == '/');

    /// <summary>A host path, relative ones below <paramref name="directory"/>.</summary>
    public static string OnHost(string directory, string path) => path.StartsWith('/') ? path : $"{directory}/{path}";

    /// <summary>Opens the directory or file at a clean path below a root, and makes it where it is missing; as init does it.</summary>
    public static unsafe long Make(int root, string path, bool isDirectory)
    {
        InitState place = new() { RootFd = root };
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax]))
            return isDirectory ? RootPath.OpenDirectory(ref place, p) : RootPath.OpenFile(ref place, p);
    }

    private static bool IsClean(string path) =>
        path.Length > 0 && path[0] == '/' && (path.Length == 1 || path[^1] != '/') && !path.Contains("//", StringComparison.Ordinal)
        && !path.Contains("/.", StringComparison.Ordinal);
}
