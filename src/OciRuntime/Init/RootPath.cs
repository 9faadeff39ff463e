using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// Look-ups inside the image. The kernel resolves every path below the root's descriptor (openat2 RESOLVE_IN_ROOT), and what is missing is
/// made one component at a time below a descriptor that is already held, so a concurrently renamed directory can at worst make the step
/// fail (CVE-2021-30465, CVE-2024-45310, CVE-2019-18837).
/// </summary>
internal static unsafe class RootPath
{
    private const int MaxLinks = 40;

    // A rename anywhere on the host makes the kernel's check of ".." inconclusive (EAGAIN, openat2(2)). Those of a busy machine come in
    // storms, which pass; an attacker can keep them up, so it is bounded. Before so many tries nobody looks at the clock.
    private const int StormMilliseconds = 5000, FirstTries = 256;

    /// <summary>Opens what exists at <paramref name="path"/>, as an O_PATH descriptor or with the given flags.</summary>
    public static long Open(int root, byte* path, int flags, ulong resolve = 0)
    {
        long end = 0;
        for (int i = 0; ; i++)
        {
            long fd = Files.OpenAt2(root, path, flags, Files.RESOLVE_IN_ROOT | Files.RESOLVE_NO_MAGICLINKS | resolve);
            if (fd != -Errno.EAGAIN) return fd;
            if (i < FirstTries) continue;
            long now = Processes.Milliseconds();
            if (end == 0) end = now + StormMilliseconds;
            // A profile that is loaded already may deny the clock, which then stands still.
            if (now == 0 || now >= end) return fd;
        }
    }

    /// <summary>Opens a directory, making it and its parents (0755) where missing.</summary>
    public static long OpenDirectory(ref InitState s, byte* path, ulong resolve = 0) => OpenDirectory(ref s, path, resolve, out _);

    /// <inheritdoc cref="OpenDirectory(ref InitState, byte*, ulong)"/>
    public static long OpenDirectory(ref InitState s, byte* path, ulong resolve, out bool wasMissing)
    {
        long fd = Open(s.RootFd, path, Files.O_PATH | Files.O_DIRECTORY, resolve);
        wasMissing = fd == -Errno.ENOENT;
        return wasMissing ? Create(ref s, path, directory: true, resolve) : fd;
    }

    /// <summary>Opens anything that is not a directory, making an empty file (0644) and its parents where missing.</summary>
    public static long OpenFile(ref InitState s, byte* path, ulong resolve = 0)
    {
        long fd = Open(s.RootFd, path, Files.O_PATH, resolve);
        return fd == -Errno.ENOENT ? Create(ref s, path, directory: false, resolve) : fd;
    }

    /// <summary>
    /// Puts the path of the directory that holds the last component of <paramref name="path"/> into a buffer of PATH_MAX bytes; the
    /// component, or null when the path is longer than that.
    /// </summary>
    public static byte* SplitParent(byte* path, byte* buffer)
    {
        int length = InitText.Append(buffer, 0, Kernel.PathMax, path);
        if (length < 0) return null;
        int last = length - 1;
        while (last >= 0 && buffer[last] != '/') last--;
        buffer[last < 0 ? 0 : last] = (byte)(last < 0 ? '.' : 0);
        if (last < 0) buffer[1] = 0;
        return path + last + 1;
    }

    /// <summary>
    /// Makes what is missing. A dangling symlink in the image is followed inside the root, as the file it names is what a program in the
    /// container will open: images ship /etc/resolv.conf as such a link, and engines bind over it.
    /// </summary>
    private static long Create(ref InitState s, byte* path, bool directory, ulong resolve)
    {
        byte* work = stackalloc byte[Kernel.PathMax];
        byte* link = stackalloc byte[Kernel.PathMax];
        int length = InitText.Append(work, 0, Kernel.PathMax, path);
        if (length < 0) return -Errno.ENAMETOOLONG;
        for (int hops = 0; hops <= MaxLinks; hops++)
        {
            long fd = CreateComponents(ref s, work, directory, link, out int prefix, out int rest);
            if (fd != -Errno.ELOOP || prefix < 0) return fd;
            if ((resolve & Files.RESOLVE_NO_SYMLINKS) != 0) return -Errno.ELOOP;
            if (!Splice(work, link, prefix, rest)) return -Errno.ENAMETOOLONG;
        }
        return -Errno.ELOOP;
    }

    /// <summary>
    /// Walks existing components by the kernel's look-up and makes the others. Stops with ELOOP at a dangling symlink, whose target is then
    /// in <paramref name="link"/>; <paramref name="prefix"/> is where its name begins and <paramref name="rest"/> where the path goes on.
    /// </summary>
    private static long CreateComponents(ref InitState s, byte* work, bool directory, byte* link, out int prefix, out int rest)
    {
        prefix = rest = -1;
        int root = s.RootFd;
        fixed (byte* dot = ".\0"u8)
        {
            long parent = Open(root, dot, Files.O_PATH | Files.O_DIRECTORY);
            bool fresh = false;
            for (int at = 0; parent >= 0;)
            {
                while (work[at] == '/') at++;
                if (work[at] == 0) return parent;
                int end = at;
                while (work[end] != 0 && work[end] != '/') end++;
                byte separator = work[end];
                work[end] = 0;
                // "." and ".." come from an image's symlink and are always the kernel's to resolve, inside the root: below a descriptor,
                // ".." of a directory just made leads out of it in as many steps as the link has.
                bool dots = IsDots(work + at);
                long next = fresh && !dots ? -Errno.ENOENT : Open(root, work, Files.O_PATH);
                if (dots)
                {
                    fresh = false;
                }
                else if (next == -Errno.ENOENT)
                {
                    long n = fresh ? -Errno.EINVAL : Files.ReadLinkAt((int)parent, work + at, link, Kernel.PathMax - 1);
                    if (n >= 0)
                    {
                        link[n] = 0;
                        work[end] = separator;
                        prefix = at;
                        rest = end;
                        Files.Close((int)parent);
                        return -Errno.ELOOP;
                    }
                    next = fresh ? 0 : HostFiles.Refuse(ref s, (int)parent);
                    fresh = true;
                    if (next >= 0)
                    {
                        next = separator == 0 && !directory ? CreateFile((int)parent, work + at)
                            : CreateDirectory((int)parent, work + at);
                    }
                }
                work[end] = separator;
                Files.Close((int)parent);
                parent = next;
                at = end;
            }
            return parent;
        }
    }

    /// <summary>"." or "..".</summary>
    public static bool IsDots(byte* name) => name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));

    private static long CreateDirectory(int parent, byte* name)
    {
        long made = Files.MakeDirectoryAt(parent, name, FileModes.PublicDirectory);
        if (made < 0 && made != -Errno.EEXIST) return made;
        return Files.OpenAt(parent, name, Files.O_PATH | Files.O_DIRECTORY | Files.O_NOFOLLOW);
    }

    private static long CreateFile(int parent, byte* name)
    {
        long fd = Files.OpenAt(parent, name, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL | Files.O_NOFOLLOW, FileModes.PublicFile);
        return fd == -Errno.EEXIST ? Files.OpenAt(parent, name, Files.O_PATH | Files.O_NOFOLLOW) : fd;
    }

    /// <summary>Replaces the link's name in the path by its target: an absolute one starts again at the root.</summary>
    private static bool Splice(byte* work, byte* link, int prefix, int rest)
    {
        byte* spliced = stackalloc byte[Kernel.PathMax];
        byte* tail = work + rest;
        int used = 0;
        if (link[0] != '/')
        {
            byte kept = work[prefix];
            work[prefix] = 0;
            used = InitText.Append(spliced, 0, Kernel.PathMax, work);
            work[prefix] = kept;
        }
        used = InitText.Append(spliced, used, Kernel.PathMax, link);
        used = InitText.Append(spliced, used, Kernel.PathMax, tail);
        return used >= 0 && InitText.Append(work, 0, Kernel.PathMax, spliced) >= 0;
    }
}
