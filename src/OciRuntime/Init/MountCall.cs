using System.Runtime.InteropServices;
using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>A call of mount(2), for what fsconfig(2) cannot say.</summary>
[StructLayout(LayoutKind.Sequential)]
internal struct MountCall
{
    /// <summary>What the file system is mounted from, or null.</summary>
    public NativeText Source;

    /// <summary>MS_… flags of the superblock.</summary>
    public ulong Flags;

    /// <summary>The options: between each two pieces comes the number of the next directory's descriptor.</summary>
    public NativeArray<NativeText> Pieces;

    /// <summary>Directories that the options name by their descriptors. One less than there are pieces.</summary>
    public NativeArray<NativeText> Directories;
}

/// <summary>
/// A file system made by mount(2). fsconfig(2) takes 255 bytes for a value, mount(2) a page for all of them, but it attaches what it makes:
/// that happens in a mount namespace which nobody else is in and which ends at once. What is left is a detached mount, as fsmount(2) gives
/// it.
/// </summary>
internal static unsafe class MountCalls
{
    /// <summary>
    /// Bytes of options that mount(2) takes, with the NUL: a page (copy_mount_options() in the kernel; pages of other sizes are larger).
    /// </summary>
    public const int OptionsSize = 4096;

    /// <summary>The detached mount, or a negated errno.</summary>
    public static long Make(ref InitState s, MountFilesystemArguments* mounted)
    {
        long proc = s.HostProc();
        if (proc < 0) return proc;
        s.Detail = InitDetail.MountObject;
        fixed (byte* self = "self/ns/mnt\0"u8, slash = "/\0"u8, dot = ".\0"u8)
        {
            long home = Files.OpenAt((int)proc, self, Files.O_RDONLY);
            if (home < 0) return home;
            long root = Files.OpenAt(Files.AT_FDCWD, slash, Files.O_PATH | Files.O_DIRECTORY);
            long directory = Files.OpenAt(Files.AT_FDCWD, dot, Files.O_PATH | Files.O_DIRECTORY);
            long mount = root < 0 ? root : directory < 0 ? directory : Processes.Unshare(Processes.CLONE_NEWNS);
            if (mount >= 0)
            {
                mount = MakeHere(ref s, mounted->Type, mounted->Call);
                // Joining a mount namespace changes both directories to its root (setns(2)).
                long back = Processes.SetNamespace((int)home, Processes.CLONE_NEWNS);
                if (back >= 0) back = Files.ChangeDirectory((int)root);
                if (back >= 0) back = Mounts.ChangeRoot(dot);
                if (back >= 0) back = Files.ChangeDirectory((int)directory);
                if (back < 0)
                {
                    if (mount >= 0) Files.Close((int)mount);
                    mount = back;
                }
            }
            if (directory >= 0) Files.Close((int)directory);
            if (root >= 0) Files.Close((int)root);
            Files.Close((int)home);
            return mount;
        }
    }

    /// <summary>On the /proc of this namespace: a place that is there for sure, as it has just been used.</summary>
    private static long MakeHere(ref InitState s, byte* type, MountCall* call)
    {
        fixed (byte* root = "/\0"u8, place = "/proc\0"u8, descriptors = "/proc/self/fd\0"u8)
        {
            long result = Mounts.SetPropagation(root, Mounts.MS_SLAVE | Mounts.MS_REC);
            if (result < 0) return result;
            byte* options = stackalloc byte[OptionsSize];
            int* opened = stackalloc int[call->Directories.Count];
            int count = 0;
            result = Options(ref s, call, options, opened, ref count);
            // Where a number is the path of a directory.
            if (result >= 0 && count > 0) result = Files.ChangeDirectory(descriptors);
            if (result >= 0)
            {
                s.Detail = InitDetail.Superblock;
                result = Mounts.Mount(call->Source, place, type, call->Flags, options);
            }
            while (count > 0) Files.Close(opened[--count]);
            return result < 0 ? result : Mounts.OpenTree(Files.AT_FDCWD, place, Mounts.OPEN_TREE_CLONE);
        }
    }

    private static long Options(ref InitState s, MountCall* call, byte* options, int* opened, ref int count)
    {
        byte* number = stackalloc byte[24];
        int used = InitText.Append(options, 0, OptionsSize, call->Pieces[0]);
        while (count < call->Directories.Count)
        {
            s.Detail = InitDetail.Option;
            // Here, not before: an overlay takes mounts of its own namespace only (clone_private_mount() in the kernel).
            long fd = Files.OpenAt(Files.AT_FDCWD, call->Directories[count], Files.O_PATH | Files.O_DIRECTORY);
            if (fd < 0)
            {
                s.SetText(call->Directories[count]);
                return fd;
            }
            opened[count++] = (int)fd;
            InitText.Number(number, fd);
            used = InitText.Append(options, used, OptionsSize, number);
            used = InitText.Append(options, used, OptionsSize, call->Pieces[count]);
        }
        return used < 0 ? -Errno.ENAMETOOLONG : 0;
    }
}
