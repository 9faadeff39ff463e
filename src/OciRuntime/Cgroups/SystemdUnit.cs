using System.Buffers;
using System.Text;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Cgroups;

/// <summary>
/// The systemd scope that holds a container: its place by linux.cgroupsPath, which is SLICE:PREFIX:NAME with this driver.
/// </summary>
/// <param name="Name">PREFIX-NAME.scope.</param>
/// <param name="Slice">The slice it is in, "-.slice" for the root.</param>
/// <param name="IsUser">It belongs to the user's own systemd.</param>
internal sealed record SystemdUnit(string Name, string Slice, bool IsUser)
{
    /// <summary>The cgroup of the systemd that makes it, "" or absolute.</summary>
    public string ManagersGroup { get; init; } = "";

    private const string Pointer = "/linux/cgroupsPath", ScopeSuffix = ".scope", SliceSuffix = ".slice", RootSlice = "-.slice";

    private static readonly SearchValues<char> Characters =
        SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.\\@");

    // Of systemd, the suffix included (UNIT_NAME_MAX, with a NUL).
    private const int MaxName = 255;

    /// <summary>Reads a path; without one the scope is ocirun-ID.scope.</summary>
    /// <exception cref="OciException">It does not have the form, or systemd would not take the names.</exception>
    public static SystemdUnit Parse(string id, string? cgroupsPath, bool isUser)
    {
        string slice = isUser ? "user.slice" : "system.slice";
        if (string.IsNullOrEmpty(cgroupsPath))
            return new SystemdUnit(Checked($"ocirun-{Escape(id)}{ScopeSuffix}", "container id"), slice, isUser);
        string[] parts = cgroupsPath.Split(':');
        // runc's words.
        if (parts.Length != 3)
        {
            throw new OciException(
                $"{Pointer}: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"{cgroupsPath}\" instead",
                Errno.EINVAL);
        }
        if (parts[2].EndsWith(SliceSuffix, StringComparison.Ordinal))
        {
            throw new OciException(
                $"{Pointer}: \"{parts[2]}\" is the name of a slice, and processes live in scopes: systemd would not let it have any",
                Errno.EINVAL);
        }
        if (parts[0].Length > 0) slice = parts[0] == "-" ? RootSlice : parts[0];
        SystemdUnit unit = new(Checked($"{parts[1]}-{parts[2]}{ScopeSuffix}", Pointer), slice, isUser);
        unit.SlicePath();
        return unit;
    }

    /// <summary>Its cgroup below the manager's own: a dash in a slice's name is a step down (systemd.slice(5)).</summary>
    public string Path => SlicePath() is { Length: > 0 } slice ? $"{slice}/{Name}" : Name;

    /// <summary>Its cgroup in every hierarchy.</summary>
    public CgroupDirectory[] Directories(CgroupHost host)
    {
        string below = ManagersGroup.Trim('/');
        string relative = below.Length == 0 ? Path : $"{below}/{Path}";
        return Array.ConvertAll(host.Hierarchies, hierarchy => new CgroupDirectory(hierarchy, relative));
    }

    private string SlicePath()
    {
        if (Slice == RootSlice) return "";
        if (!Slice.EndsWith(SliceSuffix, StringComparison.Ordinal) || !HasValidCharacters(Slice)) throw InvalidSlice();
        StringBuilder path = new();
        string name = Slice[..^SliceSuffix.Length];
        for (int dash = name.IndexOf('-'); ; dash = name.IndexOf('-', dash + 1))
        {
            string upTo = dash < 0 ? name : name[..dash];
            // Neither a--b.slice nor -b.slice: there would be a slice without a name.
            if (upTo.Length == 0 || upTo.EndsWith('-')) throw InvalidSlice();
            path.Append(path.Length > 0 ? "/" : "").Append(upTo).Append(SliceSuffix);
            if (dash < 0) return path.ToString();
        }
    }

    private OciException InvalidSlice() => new($"{Pointer}: invalid slice name: {Slice}", Errno.EINVAL);

    private static string Checked(string name, string what) =>
        HasValidCharacters(name) ? name
        : throw new OciException(
        $"{what}: systemd takes no unit of the name \"{name}\": only letters, digits and : - _ . \\ @, and no more than {MaxName}",
        Errno.EINVAL);

    private static bool HasValidCharacters(string name) =>
        name.Length <= MaxName && !name.AsSpan().ContainsAnyExcept(Characters);

    // As systemd-escape(1).
    private static string Escape(string id) => id.Replace("+", "\\x2b", StringComparison.Ordinal);
}
