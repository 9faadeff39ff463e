using OciRuntime.Linux;

namespace OciRuntime.Init;

internal struct SecurityAttributeArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.SecurityAttribute;

    /// <summary>Path below /proc.</summary>
    public NativeText Path;

    /// <summary>The path on a kernel without <see cref="Path"/>, or null.</summary>
    public NativeText Fallback;
    public NativeText Value;
    public bool SkipMissing;
}

internal struct LabelQueuesArguments : IStepArguments
{
    static InitOp IStepArguments.Op => InitOp.LabelQueues;
    public NativeText Path, Label;
}

/// <summary>Labels of the security modules: AppArmor profiles, SELinux contexts.</summary>
internal static unsafe class LabelSteps
{
    /// <summary>
    /// Writes an attribute through the host's own procfs: in the container's an image could have it swallowed (CVE-2019-16884), or sent
    /// to another file (CVE-2025-52881). A thread may write its own attributes only; "self" is this one, as init has no other.
    /// </summary>
    public static long Attribute(ref InitState s, SecurityAttributeArguments* attribute)
    {
        long result = s.WriteProc(attribute->Path, attribute->Value);
        if (result == -Errno.ENOENT && !attribute->Fallback.IsNull && !Exists(ref s, attribute->Path))
            result = s.WriteProc(attribute->Fallback, attribute->Value);
        return result == -Errno.ENOENT && attribute->SkipMissing ? 0 : result;
    }

    /// <summary>The root of a message queue file system, opened anew, as extended attributes are refused on O_PATH descriptors.</summary>
    public static long Queues(ref InitState s, LabelQueuesArguments* queues)
    {
        long fd = RootPath.Open(s.RootFd, queues->Path, Files.O_RDONLY | Files.O_DIRECTORY);
        if (fd < 0) return fd;
        long result = Files.StatFs((int)fd, out Statfs fs);
        // Only what the step before has mounted, wherever the path may lead by now.
        if (result >= 0 && fs.Type != Files.MQUEUE_MAGIC) result = -Errno.EINVAL;
        fixed (byte* name = "security.selinux\0"u8)
        {
            if (result >= 0) result = Files.SetXattr((int)fd, name, queues->Label, CString.Length(queues->Label));
        }
        Files.Close((int)fd);
        return result;
    }

    // ENOENT is also AppArmor's answer to a profile that is not loaded.
    private static bool Exists(ref InitState s, byte* path) => Files.StatAt(s.ProcFd, path, 0, out _) >= 0;
}
