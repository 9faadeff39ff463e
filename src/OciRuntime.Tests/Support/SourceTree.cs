namespace OciRuntime.Tests.Support;

/// <summary>
/// What bind mounts are tried with: a directory with a file, and with a tmpfs, which is nosuid, mounted on its directory `sub`.
/// </summary>
internal sealed class SourceTree : IDisposable
{
    private readonly string _sub;

    public SourceTree(TestBundle bundle)
    {
        Directory = Path.Combine(bundle.Directory, "source");
        _sub = Path.Combine(Directory, "sub");
        System.IO.Directory.CreateDirectory(_sub);
        File.WriteAllText(Path.Combine(Directory, "file"), "content\n");
        Command.Run("mount", "-t", "tmpfs", "-o", "nosuid", "below", _sub).ShouldSucceed();
    }

    /// <summary>Its path, in the bundle.</summary>
    public string Directory { get; }

    public void Dispose() => Command.Run("umount", _sub);
}
