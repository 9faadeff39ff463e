using OciRuntime.Linux;

namespace OciRuntime.Init;

/// <summary>
/// HOME from the image's /etc/passwd. The file is the image's: it may be a FIFO, a device, endless or one long line, so it is opened without
/// blocking, must be a regular file, and only its first mebibyte is read. Nor is it opened where files are the kernel's functions: a link to
/// /proc/kmsg would be followed with all rights of the runtime when a filter is loaded early.
/// </summary>
internal static unsafe class HomeDirectory
{
    private const int Limit = 1 << 20, Block = 4096;

    /// <summary>Writes the directory of the uid, or "/", behind the "HOME=" that the buffer begins with.</summary>
    public static long Find(ref InitState s, InitStep* step)
    {
        byte* home = (byte*)step->Data + 5;
        int room = step->Count - 5;
        home[0] = (byte)'/';
        home[1] = 0;
        fixed (byte* path = "etc/passwd\0"u8)
        {
            // Looked at before it is opened, and again afterwards: whoever exchanges it between the two gains an open file that nobody reads.
            long fd = RootPath.Open(s.RootFd, path, Files.O_PATH);
            if (fd < 0) return 0;
            bool isFile = IsFile((int)fd, out Statx found);
            Files.Close((int)fd);
            fd = isFile ? RootPath.Open(s.RootFd, path, Files.O_RDONLY | Files.O_NONBLOCK | Files.O_NOCTTY) : -1;
            if (fd < 0) return 0;
            bool same = IsFile((int)fd, out Statx opened) && opened.Inode == found.Inode && opened.DevMajor == found.DevMajor && opened.DevMinor == found.DevMinor;
            if (same) Scan((int)fd, (uint)step->A, home, room);
            Files.Close((int)fd);
            return 0;
        }
    }

    private static bool IsFile(int fd, out Statx stat) =>
        Files.Stat(fd, out stat) >= 0 && stat.Type == Files.S_IFREG && Files.StatFs(fd, out Statfs fs) >= 0 && !Files.IsKernelInterface(fs);

    private static void Scan(int fd, uint uid, byte* home, int room)
    {
        byte* block = stackalloc byte[Block];
        byte* candidate = stackalloc byte[Kernel.PathMax];
        int field = 0, length = 0;
        ulong number = 0;
        bool numeric = false;
        for (int total = 0; total < Limit;)
        {
            long n = Files.Read(fd, block, Block);
            if (n <= 0) n = 0;
            total += (int)n;
            for (int i = 0; i < n || (n == 0 && i == 0); i++)
            {
                // The end of the file ends its last line.
                byte c = n == 0 ? (byte)'\n' : block[i];
                if (c == '\n')
                {
                    if (field >= 5 && numeric && number == uid && length > 0 && length < room && length < Kernel.PathMax)
                    {
                        for (int k = 0; k < length; k++) home[k] = candidate[k];
                        home[length] = 0;
                        return;
                    }
                    field = length = 0;
                    number = 0;
                    numeric = false;
                }
                else if (c == ':') field++;
                else if (field == 2)
                {
                    numeric = c is >= (byte)'0' and <= (byte)'9' && (numeric || number == 0) && number <= uint.MaxValue;
                    number = numeric ? number * 10 + (ulong)(c - '0') : ulong.MaxValue;
                }
                else if (field == 5)
                {
                    if (length < Kernel.PathMax) candidate[length] = c;
                    if (length < Kernel.PathMax) length++;
                }
            }
            if (n == 0) return;
        }
    }
}
