namespace OciRuntime.Linux;

/// <summary>inotify(7), as far as it takes to see whether there is any left of it.</summary>
internal static unsafe class Inotify
{
    private const uint IN_DELETE_SELF = 0x400;

    /// <summary>A new instance; EMFILE when the user, or this process, has as many as it may.</summary>
    public static long Make() => Kernel.Call(SyscallNumber.InotifyInit1, Files.O_CLOEXEC);

    /// <summary>Watches a directory; ENOSPC when the user watches as many as it may.</summary>
    public static long Watch(int instance, string path)
    {
        fixed (byte* p = CString.Encode(path, stackalloc byte[Kernel.PathMax]))
            return Kernel.Call(SyscallNumber.InotifyAddWatch, instance, (nint)p, (nint)IN_DELETE_SELF);
    }
}
