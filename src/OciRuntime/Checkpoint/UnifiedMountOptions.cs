using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.Checkpoint;

/// <summary>
/// Keeps the options of the host's cgroup v2 file system. criu mounts it anew without any, and in the first cgroup namespace that takes nsdelegate
/// and memory_recursiveprot off the mount there is (apply_cgroup_root_flags() in the kernel): delegated cgroups would lose their borders.
/// </summary>
internal sealed unsafe class UnifiedMountOptions : IDisposable
{
    private readonly MountEntry _before = Find();

    /// <summary>Gives it the options it had. Failing that it stays as criu left it, which is no reason to undo what criu did.</summary>
    public void Dispose()
    {
        if (_before.Point == null || Find().FileSystemOptions == _before.FileSystemOptions) return;
        long mount = Files.OpenAt(Files.AT_FDCWD, _before.Point, Files.O_PATH | Files.O_DIRECTORY);
        if (mount < 0) return;
        using Fd directory = new((int)mount);
        long picked = Mounts.FsPick(directory.Number);
        if (picked < 0) return;
        using Fd context = new((int)picked);
        foreach (string option in _before.FileSystemOptions.Split(',')) if (option is not ("rw" or "ro")) Set(context.Number, option);
        // See the summary; so in Set.
        Mounts.FsConfig(context.Number, Mounts.FSCONFIG_CMD_RECONFIGURE, null, null);
    }

    private static void Set(int context, string option)
    {
        // See Dispose.
        fixed (byte* key = CString.Encode(option, stackalloc byte[256])) Mounts.FsConfig(context, Mounts.FSCONFIG_SET_FLAG, key, null);
    }

    private static MountEntry Find() => MountTable.Read().Find(static m => m.Type == "cgroup2");
}
