using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>Files as block devices (loop(4)).</summary>
internal static unsafe class LoopDevices
{
    private const uint LOOP_CTL_GET_FREE = 0x4C82, LOOP_CONFIGURE = 0x4C0A;
    private const uint LO_FLAGS_READ_ONLY = 1, LO_FLAGS_AUTOCLEAR = 4, LO_FLAGS_DIRECT_IO = 16;

    // Whoever asks for a free one at the same moment gets the same.
    private const int Tries = 64;

    /// <summary>Makes a device of a file. It is one until nobody has it open or mounted any more.</summary>
    /// <param name="file">The file.</param>
    /// <param name="readOnly">It is not written to.</param>
    /// <param name="direct">Past the page cache of the file's own file system.</param>
    /// <param name="path">The device's name.</param>
    /// <returns>The device.</returns>
    /// <exception cref="OciException">There is none to be had.</exception>
    public static Fd Attach(string file, bool readOnly, bool direct, out string path)
    {
        int mode = readOnly ? Files.O_RDONLY : Files.O_RDWR;
        using Fd backing = Fd.Open(file, mode, $"open {file}"),
            control = Fd.Open("/dev/loop-control", Files.O_RDWR, "open /dev/loop-control");
        LoopConfig config = new()
        {
            File = (uint)backing.Number,
            Flags = LO_FLAGS_AUTOCLEAR | (readOnly ? LO_FLAGS_READ_ONLY : 0) | (direct ? LO_FLAGS_DIRECT_IO : 0),
        };
        long result = -Errno.EBUSY;
        for (int i = 0; result == -Errno.EBUSY && i < Tries; i++)
        {
            long number = OciException.Check(Files.Ioctl(control.Number, LOOP_CTL_GET_FREE, 0), "find a free loop device");
            path = $"/dev/loop{number}";
            Fd device = Fd.Open(path, mode, $"open {path}");
            result = Files.Ioctl(device.Number, LOOP_CONFIGURE, (nint)(&config));
            if (result >= 0) return device;
            device.Dispose();
        }
        throw OciException.FromResult(result, $"make a loop device of {file}");
    }

    /// <summary>struct loop_config, as much of it as is set.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 304)]
    private struct LoopConfig
    {
        [FieldOffset(0)]
        public uint File;

        /// <summary>Of the struct loop_info64 in it.</summary>
        [FieldOffset(60)]
        public uint Flags;
    }
}
