namespace OciRuntime.Linux;

/// <summary>What tells a file, a directory or a namespace from all others that there are at the moment (statx(2)).</summary>
/// <param name="Major">Of the file system's device number.</param>
/// <param name="Minor">The same.</param>
/// <param name="Inode">Its number in there; it is given out again when the file is gone.</param>
internal readonly record struct FileIdentity(uint Major, uint Minor, ulong Inode)
{
    // Written out, as the child after clone3(2) compares, too: what the compiler makes calls .NET, which nobody has vouched for there.
    public bool Equals(FileIdentity other) => Inode == other.Inode && Minor == other.Minor && Major == other.Major;

    public override int GetHashCode() => HashCode.Combine(Major, Minor, Inode);
}
