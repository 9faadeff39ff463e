using System.Text;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>Writes the id maps of a new user namespace (user_namespaces(7)).</summary>
internal static class IdMapper
{
    public static void Write(int pid, LinuxConfig linux, bool denySetgroups)
    {
        // The kernel takes a gid map from an ordinary user only when setgroups, by which one could shed a group that denies access, is given up.
        if (denySetgroups) WriteFile(pid, "setgroups", "deny", "/linux/gidMappings");
        WriteFile(pid, "uid_map", linux.UidMappings, "/linux/uidMappings");
        WriteFile(pid, "gid_map", linux.GidMappings, "/linux/gidMappings");
    }

    /// <summary>Writes a map of a process whose user namespace has none yet.</summary>
    /// <param name="pid">The process.</param>
    /// <param name="file">uid_map or gid_map.</param>
    /// <param name="mappings">The map.</param>
    /// <param name="pointer">Where it comes from, for the error.</param>
    public static void WriteFile(int pid, string file, IdMapping[] mappings, string pointer) => WriteFile(pid, file, Lines(mappings), pointer);

    private static void WriteFile(int pid, string file, string text, string pointer)
    {
        long result = Files.WriteFileAt(Files.AT_FDCWD, $"/proc/{pid}/{file}", text);
        if (result >= 0) return;
        string hint = result == -Errno.EPERM ? ": an ordinary user can map only its own id" : "";
        throw new OciException($"{pointer}: write \"{text.TrimEnd().Replace("\n", ", ")}\" to {file}: {ErrnoText.Describe((int)-result)} ({ErrnoText.Name((int)-result)}){hint}", (int)-result);
    }

    /// <summary>A map file's content, for one write: the kernel accepts exactly one.</summary>
    public static string Lines(IdMapping[] mappings)
    {
        StringBuilder lines = new();
        foreach (IdMapping mapping in mappings) lines.Append(mapping.ContainerID).Append(' ').Append(mapping.HostID).Append(' ').Append(mapping.Size).Append('\n');
        return lines.ToString();
    }
}
