using OciRuntime.Linux;

namespace OciRuntime.Checkpoint;

/// <summary>Where the images and the log are, held open: criu gets them as descriptors of this process.</summary>
internal sealed class ImageDirectories : IDisposable
{
    private Fd _images;
    private Fd? _work;

    private ImageDirectories(CriuSettings settings, Fd images)
    {
        _images = images;
        _work = settings.WorkPath is null ? null : OpenWork(settings.WorkPath);
        LogPath = settings.WorkPath ?? settings.ImagePath;
        if (settings.ParentPath is { } parent) CheckParent(settings.ImagePath, parent);
    }

    /// <summary>Descriptor of the images' directory.</summary>
    public int Images => _images.Number;

    /// <summary>The directory of the log, as it was named.</summary>
    public string LogPath { get; }

    /// <summary>
    /// For a dump: the directory is made where it is missing, with its parents. The files in it, with the program's memory, are for their
    /// owner only (criu makes them so), but the root of a container's user namespace has to be able to look for one that is not there.
    /// </summary>
    public static ImageDirectories Make(CriuSettings settings)
    {
        string path = settings.ImagePath;
        // What cannot be made, or is there already, shows when it is opened; so below.
        for (int slash = path.IndexOf('/', 1); slash > 0; slash = path.IndexOf('/', slash + 1))
            Files.MakeDirectoryAt(Files.AT_FDCWD, path[..slash], FileModes.PublicDirectory);
        Files.MakeDirectoryAt(Files.AT_FDCWD, path, FileModes.PassableDirectory);
        return Open(settings);
    }

    /// <exception cref="OciException">A directory is not there, or --parent-path is no relative path to one.</exception>
    public static ImageDirectories Open(CriuSettings settings)
    {
        Fd images = OpenDirectory(settings.ImagePath, "--image-path");
        try
        {
            return new ImageDirectories(settings, images);
        }
        catch
        {
            images.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Opens them again in the mount namespace of <paramref name="pid"/>: criu mounts things in its working directory, which has to be in
    /// its own.
    /// </summary>
    public void MoveTo(int pid)
    {
        _images = Reopen(pid, _images);
        if (_work is not null) _work = Reopen(pid, _work);
    }

    private static Fd Reopen(int pid, Fd directory)
    {
        using Fd old = directory;
        string path = Files.PathOf(old.Number, out long error)
            ?? throw OciException.FromResult(error, "look at the directory of the images");
        Fd opened = Fd.Open($"/proc/{pid}/root{path}", Files.O_RDONLY | Files.O_DIRECTORY, $"open {path} for criu");
        // The path may have got another directory, or a mount, meanwhile.
        bool same = Files.Stat(old.Number, out Statx before) >= 0 && Files.Stat(opened.Number, out Statx now) >= 0
            && before.Identity == now.Identity;
        if (same) return opened;
        opened.Dispose();
        throw new OciException($"{path} was exchanged while it was used");
    }

    /// <summary>Tells criu.</summary>
    public void AddTo(CriuOptions options)
    {
        options.Set(CriuOption.ImagesDirFd, _images.Number);
        if (_work is not null) options.Set(CriuOption.WorkDirFd, _work.Number);
    }

    private static Fd OpenWork(string path)
    {
        // See Make.
        Files.MakeDirectoryAt(Files.AT_FDCWD, path, FileModes.PrivateDirectory);
        return OpenDirectory(path, "--work-path");
    }

    private static Fd OpenDirectory(string path, string option) =>
        Fd.Open(path, Files.O_RDONLY | Files.O_DIRECTORY, $"{option} {path}");

    private void CheckParent(string image, string parent)
    {
        // criu makes a symbolic link of it, which has to hold when the images are moved together.
        if (parent.StartsWith('/')) throw new OciException($"--parent-path {parent}: must be relative, to --image-path");
        long found = Files.OpenAt(_images.Number, parent, Files.O_PATH | Files.O_DIRECTORY);
        OciException.Check(found, $"invalid --parent-path: {image}/{parent}");
        Files.Close((int)found);
    }

    public void Dispose()
    {
        _images.Dispose();
        _work?.Dispose();
    }
}
