using System.Runtime.InteropServices;

namespace OciRuntime.Linux;

/// <summary>The entries of an open directory from where it is on, without "." and ".." (getdents64(2)).</summary>
/// <param name="fd">Open for reading.</param>
/// <param name="buffer">For as many entries as fit; one has up to 280 bytes.</param>
internal ref struct DirectoryEntries(int fd, Span<byte> buffer)
{
    // struct linux_dirent64: u64 ino, s64 off, u16 reclen, u8 type, name.
    private const int LengthAt = 16, TypeAt = 18, NameAt = 19;
    private const byte DT_CHR = 2, DT_DIR = 4, DT_BLK = 6;

    private readonly Span<byte> _buffer = buffer;
    private ReadOnlySpan<byte> _left;
    private byte _type;

    /// <summary>What ended the enumeration: 0, or a negated errno.</summary>
    public long Result { get; private set; }

    public ulong Inode { get; private set; }

    public readonly bool IsDirectory => _type == DT_DIR;

    public readonly bool IsDevice => _type is DT_CHR or DT_BLK;

    /// <summary>Without NUL; valid until the next move.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    public bool Next()
    {
        do
        {
            if (_left.IsEmpty)
            {
                Result = Files.GetDents(fd, _buffer);
                if (Result <= 0) return false;
                _left = _buffer[..(int)Result];
            }
            ReadOnlySpan<byte> entry = _left[..MemoryMarshal.Read<ushort>(_left[LengthAt..])];
            _left = _left[entry.Length..];
            Inode = MemoryMarshal.Read<ulong>(entry);
            _type = entry[TypeAt];
            Name = entry[NameAt..];
            Name = Name[..Name.IndexOf((byte)0)];
        }
        while (Name.SequenceEqual("."u8) || Name.SequenceEqual(".."u8));
        return true;
    }
}
