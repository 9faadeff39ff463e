using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>Labels of the security modules: AppArmor profiles, SELinux contexts.</summary>
internal static unsafe class LabelSteps
{
    /// <summary>
    /// Writes an attribute through the host's own procfs: in the container's an image could have it swallowed (CVE-2019-16884), or sent
    /// to another file (CVE-2025-52881). A thread may write its own attributes only; "self" is this one, as init has no other.
    /// </summary>
    public static long Attribute(ref InitState s, InitStep* step)
    {
        int length = CString.Length(step->Text2);
        long result = s.WriteProc(step->Text1, step->Text2, length);
        if (result == -Errno.ENOENT && step->Fallback != null && !Exists(ref s, step->Text1)) result = s.WriteProc(step->Fallback, step->Text2, length);
        return result == -Errno.ENOENT && (step->Flags & InitFlags.SkipMissing) != 0 ? 0 : result;
    }

    /// <summary>The root of a message queue file system, opened anew, as extended attributes are refused on O_PATH descriptors.</summary>
    public static long Queues(ref InitState s, InitStep* step)
    {
        long fd = RootPath.Open(s.RootFd, step->Text1, Files.O_RDONLY | Files.O_DIRECTORY);
        if (fd < 0) return fd;
        long result = Files.StatFs((int)fd, out Statfs fs);
        // Only what the step before has mounted, wherever the path may lead by now.
        if (result >= 0 && fs.Type != Files.MQUEUE_MAGIC) result = -Errno.EINVAL;
        fixed (byte* name = "security.selinux\0"u8)
        {
            if (result >= 0) result = Files.SetAttribute((int)fd, name, step->Text2, CString.Length(step->Text2));
        }
        Files.Close((int)fd);
        return result;
    }

    // ENOENT is also AppArmor's answer to a profile that is not loaded.
    private static bool Exists(ref InitState s, byte* path) => Files.StatAt(s.ProcFd, path, 0, out _) >= 0;
}
