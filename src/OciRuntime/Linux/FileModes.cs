using static Mono.Unix.Native.FilePermissions;

namespace OciRuntime.Linux;

/// <summary>
/// Permissions in the words of inode(7), for <c>mode_t</c> arguments and <see cref="Statx.Mode"/>: C# has no octal numbers. All are
/// constants, so nothing of the package is in the program.
/// </summary>
internal static class FileModes
{
    /// <summary>0600: a file that is the owner's business alone.</summary>
    public const uint PrivateFile = (uint)(S_IRUSR | S_IWUSR);

    /// <summary>0700: a directory that is the owner's business alone.</summary>
    public const uint PrivateDirectory = (uint)S_IRWXU;

    /// <summary>0644: a file that everybody may read.</summary>
    public const uint PublicFile = PrivateFile | (uint)(S_IRGRP | S_IROTH);

    /// <summary>0755: a directory that everybody may look into.</summary>
    public const uint PublicDirectory = PassableDirectory | (uint)(S_IRGRP | S_IROTH);

    /// <summary>0711: a directory that everybody may go through, and nobody else may list.</summary>
    public const uint PassableDirectory = PrivateDirectory | (uint)(S_IXGRP | S_IXOTH);

    /// <summary>0666: a file as programs make it for their user, whose umask has the last word.</summary>
    public const uint UsersFile = (uint)DEFFILEMODE;

    /// <summary>0777: read, write and execute for all, all that a umask can take away.</summary>
    public const uint AllAccess = (uint)ACCESSPERMS;

    /// <summary>07777: all that chmod(2) can set, without the type of the file.</summary>
    public const uint All = (uint)ALLPERMS;

    /// <summary>0022: somebody else than the owner may write.</summary>
    public const uint WritableByOthers = (uint)(S_IWGRP | S_IWOTH);

    /// <summary>0111: somebody may execute it.</summary>
    public const uint Executable = (uint)(S_IXUSR | S_IXGRP | S_IXOTH);

    /// <summary>01000: of a directory, only its owner and a file's may remove the file.</summary>
    public const uint Sticky = (uint)S_ISVTX;
}
