using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>
/// The one door to the kernel: raw system calls that return what the kernel returns, a value or a negated errno.
/// Nothing here allocates, throws or locks, so the same wrappers serve the parent and the child after clone3(2).
/// </summary>
internal static unsafe class Kernel
{
    /// <summary>The longest path the kernel accepts, with its NUL (limits.h PATH_MAX).</summary>
    public const int PathMax = 4096;

    // No GC transition: a launch makes hundreds of these calls, and clone3 must not overlap a collection.
    [DllImport("libc", EntryPoint = "syscall"), SuppressGCTransition]
    private static extern nint Raw(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [DllImport("libc", EntryPoint = "syscall")]
    private static extern nint RawBlocking(nint number, nint a, nint b, nint c, nint d, nint e, nint f);

    [DllImport("libc", EntryPoint = "__errno_location"), SuppressGCTransition]
    private static extern int* ErrnoLocation();

    /// <summary>
    /// Other threads run managed code beside this one, and whatever call waits must not keep their collections waiting. Only in the shim,
    /// never in what is cloned.
    /// </summary>
    public static bool IsShared;

    /// <summary>
    /// Makes a system call that does not wait for others. Returns its result, or a negated errno. EINTR is never one: signals are read from
    /// a descriptor, so nobody waits to be interrupted, and the call is made again.
    /// </summary>
    public static long Call(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        if (IsShared) return CallBlocking(number, a, b, c, d, e, f);
        long result;
        do result = CallOnce(number, a, b, c, d, e, f);
        while (result == -Errno.EINTR);
        return result;
    }

    /// <summary>
    /// As <see cref="Call"/>, but not again on EINTR: close(2) has closed the descriptor all the same, and its number may be another's by
    /// now.
    /// </summary>
    public static long CallOnce(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        long began = Trace.IsOn ? Trace.Now() : 0;
        long result = Raw(number, a, b, c, d, e, f);
        if (result == -1) result = -*ErrnoLocation();
        if (began != 0) Trace.Call(number, began, result);
        return result;
    }

    /// <summary>
    /// As <see cref="Call"/>, for calls that may sleep (poll, wait, read): a collection on another thread need not wait for them.
    /// </summary>
    public static long CallBlocking(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0, nint f = 0)
    {
        long result;
        do
        {
            long began = Trace.IsOn ? Trace.Now() : 0;
            result = RawBlocking(number, a, b, c, d, e, f);
            if (result == -1) result = -*ErrnoLocation();
            if (began != 0) Trace.Call(number, began, result);
        }
        while (result == -Errno.EINTR);
        return result;
    }

    /// <summary>
    /// As <see cref="CallBlocking"/>, on a thread beside the program's own, whose notes it must not touch (<see cref="Trace"/>).
    /// </summary>
    public static long CallBeside(nint number, nint a = 0, nint b = 0, nint c = 0, nint d = 0, nint e = 0)
    {
        long result;
        do
        {
            result = RawBlocking(number, a, b, c, d, e, 0);
            if (result == -1) result = -*ErrnoLocation();
        }
        while (result == -Errno.EINTR);
        return result;
    }
}
