using System.Buffers;
using System.Text.Json;
using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Standard streams that end outside of the container: their names in criu's images, by which restore connects them with its own. They are
/// kept in descriptors.json, as by runc and crun.
/// </summary>
internal static class StandardStreams
{
    private const string FileName = "descriptors.json";
    private const int MaxBytes = 64 << 10;
    private const int Count = 3;

    /// <summary>Which a process has, in order; "" for what is the container's own, or nothing.</summary>
    public static string[] Of(int pid)
    {
        HashSet<ulong> mounts = [.. MountTable.Read($"{pid}").ConvertAll(static m => m.Id)];
        string[] names = new string[Count];
        for (int fd = 0; fd < Count; fd++) names[fd] = NameOf(pid, fd, mounts);
        return names;
    }

    /// <summary>
    /// "pipe:[inode]", or "file[mount:inode]" for a file or memory device (/dev/null) of a mount that the container does not have. Those
    /// criu would refuse; other runtimes have init reopen /dev/null for its sake.
    /// </summary>
    private static string NameOf(int pid, int fd, HashSet<ulong> mounts)
    {
        string path = $"/proc/{pid}/fd/{fd}";
        if (Files.ReadLink(path) is { } link && link.StartsWith("pipe:[", StringComparison.Ordinal)) return link;
        long opened = Files.OpenAt(Files.AT_FDCWD, path, Files.O_PATH);
        if (opened < 0) return "";
        using Fd file = new((int)opened);
        if (Files.Stat(file.Number, out Statx stat, Files.STATX_BASIC_STATS | Files.STATX_MNT_ID) < 0 || mounts.Contains(stat.MountId))
            return "";
        bool isFile = stat.Type == Files.S_IFREG || (stat.Type == Files.S_IFCHR && stat.RdevMajor == 1);
        return isFile ? $"file[{stat.MountId:x}:{stat.Inode:x}]" : "";
    }

    /// <summary>Tells criu which files are not the container's, and writes all names down beside the images.</summary>
    public static void Dump(int pid, int imageDirectory, CriuOptions options)
    {
        string[] names = Of(pid);
        foreach (string name in new HashSet<string>(names))
        {
            if (name.StartsWith("file[", StringComparison.Ordinal)) options.Set(CriuOption.External, name);
        }
        ArrayBufferWriter<byte> buffer = new();
        using (Utf8JsonWriter w = new(buffer, State.ContainerState.Compact))
        {
            w.WriteStartArray();
            foreach (string name in names) w.WriteStringValue(name);
            w.WriteEndArray();
        }
        long result = Files.WriteFileAt(imageDirectory, FileName, buffer.WrittenSpan, Files.O_WRONLY | Files.O_CREAT | Files.O_TRUNC
            | Files.O_NOFOLLOW, FileModes.PrivateFile);
        OciException.Check(result, $"write {FileName}");
    }

    /// <summary>The names that were written down.</summary>
    /// <exception cref="OciException">The directory holds no checkpoint of a container.</exception>
    public static string[] Read(ImageDirectories directories, string imagePath)
    {
        byte[] json = Files.ReadFileAt(directories.Images, FileName, MaxBytes, out long error)
            ?? throw new OciException(
            $"--image-path {imagePath}: {FileName}: {ErrnoText.Full((int)-error)}: not the checkpoint of a container; a pre-dump cannot "
            + $"be restored", (int)-error);
        try
        {
            return Parse(json);
        }
        catch (JsonException e)
        {
            throw new OciException($"--image-path {imagePath}: {FileName}: {e.Message}");
        }
    }

    /// <summary>
    /// /dev/null for each file for which criu's own stream cannot stand: criu sets a file's position, and pipes and terminals have none.
    /// containerd, for example, restores a container without streams onto pipes.
    /// </summary>
    /// <param name="names">Those of then.</param>
    /// <param name="streams">What criu is to have as 0, 1 and 2.</param>
    public static List<(string Name, Fd Fd)> Replacements(string[] names, int[] streams)
    {
        const int SEEK_CUR = 1;
        List<(string, Fd)> replaced = [];
        foreach (int fd in External(names))
        {
            if (!names[fd].StartsWith("file[", StringComparison.Ordinal) || Files.Seek(streams[fd], 0, SEEK_CUR) >= 0) continue;
            replaced.Add((names[fd], Fd.Open("/dev/null", Files.O_RDWR, "open /dev/null")));
        }
        return replaced;
    }

    /// <summary>Has criu put its own streams in the place of those of then.</summary>
    public static void Restore(string[] names, CriuOptions options, List<(string Name, Fd Fd)> replaced)
    {
        foreach (int fd in External(names))
        {
            if (!replaced.Exists(one => one.Name == names[fd])) options.Add(CriuOption.InheritFd, names[fd], fd);
        }
    }

    // One name twice is one pipe or file twice: the first descriptor stands for it.
    private static IEnumerable<int> External(string[] names) =>
        Enumerable.Range(0, Math.Min(Count, names.Length)).Where(fd => Array.IndexOf(names, names[fd]) == fd
        && (names[fd].StartsWith("pipe:[", StringComparison.Ordinal) || names[fd].StartsWith("file[", StringComparison.Ordinal)));

    private static string[] Parse(byte[] json)
    {
        Utf8JsonReader r = new(json);
        if (!r.Read() || r.TokenType != JsonTokenType.StartArray) throw new JsonException("expected a list of names");
        List<string> names = [];
        while (r.Read() && r.TokenType == JsonTokenType.String) names.Add(r.GetString()!);
        return r.TokenType == JsonTokenType.EndArray ? [.. names] : throw new JsonException("expected a list of names");
    }
}
