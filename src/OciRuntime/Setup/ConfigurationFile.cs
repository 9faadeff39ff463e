using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>
/// A file that is replaced as a whole or not at all: written beside the old one, synchronised, renamed over it. A link is followed once,
/// when the file is read, and stays: what it points to is replaced.
/// </summary>
internal sealed class ConfigurationFile
{
    private const int MaxSize = 1 << 20;
    private const string BackupSuffix = ".ocirun-backup";

    private readonly Statx _stat;

    private ConfigurationFile(string path, string? text, Statx stat)
    {
        Path = path;
        Text = text;
        _stat = stat;
    }

    /// <summary>Where it really is.</summary>
    public string Path { get; }

    /// <summary>What it says; null when it is not there.</summary>
    public string? Text { get; }

    private string Directory => System.IO.Path.GetDirectoryName(Path)!;

    private string Name => System.IO.Path.GetFileName(Path);

    /// <summary>The backups, newest first.</summary>
    public IEnumerable<string> OlderTexts()
    {
        List<string> names = Files.ListDirectory(Directory);
        for (int i = names.Count; i >= 0; i--)
        {
            if (names.Contains(BackupName(i)) && Read(System.IO.Path.Combine(Directory, BackupName(i))).Text is { } text) yield return text;
        }
    }

    /// <summary>Reads a file, or finds that there is none. Only regular ones: a device or a pipe would not end.</summary>
    public static ConfigurationFile Read(string path)
    {
        path = Files.FullPath(path);
        long result = Files.OpenAt(Files.AT_FDCWD, path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_NOCTTY);
        if (result == -Errno.ENOENT && Files.StatAt(Files.AT_FDCWD, path, Files.AT_SYMLINK_NOFOLLOW, out _) < 0)
            return new(path, null, default);
        OciException.Check(result, $"read {path}");
        using Fd fd = new((int)result);
        OciException.Check(Files.Stat(fd.Number, out Statx stat), $"read {path}");
        if (!stat.IsRegular) throw new OciException($"{path}: is not a regular file");
        byte[] bytes = Files.ReadToEnd(fd.Number, MaxSize, out long error) ?? throw OciException.FromResult(error, $"read {path}");
        string real = Files.PathOf(fd.Number, out error)
            ?? throw OciException.FromResult(error, $"read {path}");
        try
        {
            return new(real, new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes), stat);
        }
        catch (ArgumentException)
        {
            throw new OciException($"{path}: is not UTF-8");
        }
    }

    /// <summary>Replaces the file, or makes it, with the directories that it needs. Returns the backup's path, or null.</summary>
    public string? Replace(string text, bool keepBackup)
    {
        if (Text is null) MakeDirectory(Directory);
        using Fd directory = Lock();
        // A name that the engine takes for no configuration, and nobody for a file of his own.
        string temporary = $".{Name}.ocirun-{Environment.ProcessId}";
        string? backup = null;
        try
        {
            WriteNew(directory.Number, temporary, Encoding.UTF8.GetBytes(text));
            if (Text is not null && keepBackup) backup = KeepBackup(directory.Number);
            OciException.Check(Files.RenameAt(directory.Number, temporary, directory.Number, Name), $"replace {Path}");
        }
        catch
        {
            // The failure that led here is the one to tell.
            Files.UnlinkAt(directory.Number, temporary);
            if (backup is not null) Files.UnlinkAt(directory.Number, backup);
            throw;
        }
        OciException.Check(Files.Synchronize(directory.Number), $"synchronise {Directory}");
        return InDirectory(backup);
    }

    /// <summary>Removes the file. Returns the backup's path, or null.</summary>
    public string? Delete(bool keepBackup)
    {
        using Fd directory = Lock();
        string? backup = keepBackup ? KeepBackup(directory.Number) : null;
        long removed = Files.UnlinkAt(directory.Number, Name);
        // That the file stays is the failure to tell.
        if (removed < 0 && backup is not null) Files.UnlinkAt(directory.Number, backup);
        OciException.Check(removed, $"remove {Path}");
        OciException.Check(Files.Synchronize(directory.Number), $"synchronise {Directory}");
        return InDirectory(backup);
    }

    private string? InDirectory(string? name) => name is null ? null : System.IO.Path.Combine(Directory, name);

    /// <summary>The directory, locked against another setup, with the file still as it was read.</summary>
    private Fd Lock()
    {
        Fd directory = Fd.Open(Directory, Files.O_RDONLY | Files.O_DIRECTORY, $"open {Directory}");
        OciException.Check(Files.Flock(directory.Number, Files.LOCK_EX), $"lock {Directory}");
        bool there = Files.StatAt(directory.Number, Name, Files.AT_SYMLINK_NOFOLLOW, out Statx now) == 0;
        bool same = now.Identity == _stat.Identity && now.Size == _stat.Size
            && now.ModificationTime.Nanoseconds == _stat.ModificationTime.Nanoseconds;
        if (there == (Text is not null) && (!there || same)) return directory;
        directory.Dispose();
        throw new OciException($"{Path}: was changed meanwhile; try again");
    }

    private void WriteNew(int directory, string name, byte[] content)
    {
        const int Flags = Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL;
        using Fd fd = Fd.OpenAt(directory, name, Flags, $"write into {Directory}", FileModes.PrivateFile);
        OciException.Check(Files.WriteAll(fd.Number, content), $"write {Path}");
        if (Text is not null) OciException.Check(Files.Chown(fd.Number, _stat.Uid, _stat.Gid), $"give {Path} its owner again");
        OciException.Check(Files.Chmod(fd.Number, Text is null ? FileModes.PublicFile : _stat.Mode & FileModes.All),
            $"give {Path} its mode");
        OciException.Check(Files.Synchronize(fd.Number), $"synchronise {Path}");
    }

    /// <summary>A second name for the old file: nothing of it can get lost, and link(2) overwrites none.</summary>
    private string KeepBackup(int directory)
    {
        for (int i = 0; ; i++)
        {
            long linked = Files.LinkAt(directory, Name, directory, BackupName(i), 0);
            if (linked == -Errno.EEXIST) continue;
            OciException.Check(linked, $"keep {Path} as {BackupName(i)}");
            return BackupName(i);
        }
    }

    private string BackupName(int i) => Name + BackupSuffix + (i == 0 ? "" : $".{i}");

    private static void MakeDirectory(string path)
    {
        if (Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) == 0 && stat.IsDirectory) return;
        if (System.IO.Path.GetDirectoryName(path) is { Length: > 0 } parent) MakeDirectory(parent);
        long made = Files.MakeDirectoryAt(Files.AT_FDCWD, path, FileModes.PublicDirectory);
        if (made != -Errno.EEXIST) OciException.Check(made, $"make {path}");
    }
}
