using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Keeps the options of the host's cgroup v2 file system. criu mounts it anew without any, and in the first cgroup namespace that takes
/// nsdelegate and memory_recursiveprot off the mount there is (apply_cgroup_root_flags() in the kernel): delegated cgroups would lose their
/// borders.
/// </summary>
internal sealed class UnifiedMountOptions : IDisposable
{
    private readonly MountEntry _before = Find();

    /// <summary>Gives it the options it had. Failing that it stays as criu left it, which is no reason to undo what criu did.</summary>
    public void Dispose()
    {
        if (_before.Point is null || Find().FileSystemOptions == _before.FileSystemOptions) return;
        long mount = Files.OpenAt(Files.AT_FDCWD, _before.Point, Files.O_PATH | Files.O_DIRECTORY);
        if (mount < 0) return;
        using Fd directory = new((int)mount);
        long picked = Mounts.FsPick(directory.Number);
        if (picked < 0) return;
        using Fd context = new((int)picked);
        foreach (string option in _before.FileSystemOptions.Split(','))
        {
            // See the summary; so below.
            if (option is not ("rw" or "ro")) Mounts.FsConfigFlag(context.Number, option);
        }
        // See above.
        Mounts.FsReconfigure(context.Number);
    }

    private static MountEntry Find() => MountTable.Read().Find(static m => m.Type == "cgroup2");
}
