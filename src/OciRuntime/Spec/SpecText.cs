using System.Globalization;
using OciRuntime.Linux;

namespace OciRuntime.Spec;

/// <summary>Small questions about strings of a config.json, and their rendering in messages.</summary>
internal static class SpecText
{
    private const int MaxShownChars = 64;

    /// <summary>A string as a message shows it: quoted, shortened, always on one line.</summary>
    public static string Quote(string value) =>
        $"\"{VisibleText.Line(value.Length > MaxShownChars ? value[..MaxShownChars] + "..." : value)}\"";

    public static string Show(long value) => value.ToString(CultureInfo.InvariantCulture);

    public static string Show(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    public static bool IsAbsolute(string path) => path.StartsWith('/');

    /// <summary>Whether a path means "/" once ".", ".." and doubled slashes are gone; relative ones count from "/".</summary>
    public static bool IsRootDirectory(string path)
    {
        int depth = 0;
        foreach (Range part in path.AsSpan().Split('/'))
        {
            depth = path.AsSpan()[part] switch
            {
                "" or "." => depth,
                ".." => Math.Max(0, depth - 1),
                _ => depth + 1,
            };
        }
        return depth == 0;
    }

    public static bool HasParentStep(string path)
    {
        foreach (Range part in path.AsSpan().Split('/')) if (path.AsSpan()[part] is "..") return true;
        return false;
    }

    /// <summary>
    /// A sysctl as a path below /proc/sys. As in sysctl.d(5) the first separator decides: "net.ipv4.conf.eth0" has its dots and slashes
    /// swapped, "net/ipv4/conf/eth0.100" stays.
    /// </summary>
    public static string SysctlPath(string key)
    {
        int first = key.AsSpan().IndexOfAny('.', '/');
        return first < 0 || key[first] == '/' ? key : string.Create(key.Length, key, static (path, k) =>
        {
            for (int i = 0; i < k.Length; i++) path[i] = k[i] switch { '.' => '/', '/' => '.', var c => c };
        });
    }

    /// <summary>Every part a real name, so that the path cannot leave the directory it is used in.</summary>
    public static bool IsPlainRelativePath(string path)
    {
        foreach (Range part in path.AsSpan().Split('/')) if (path.AsSpan()[part] is "" or "." or "..") return false;
        return true;
    }

    /// <summary>What dev_valid_name() of the kernel takes: 1 to 15 bytes, no "/", ":" or white space, not "." or "..".</summary>
    public static bool IsInterfaceName(string name) =>
        name is not ("" or "." or "..") && System.Text.Encoding.UTF8.GetByteCount(name) <= 15
        && name.AsSpan().IndexOfAny('/', ':') < 0 && !name.Any(char.IsWhiteSpace);
}
