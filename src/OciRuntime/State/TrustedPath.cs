using OciRuntime.Host;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// Directories by a path with symbolic links in it, of which only those are followed that nobody but root and the caller can have made (as
/// with fs.protected_symlinks, but everywhere).
/// </summary>
internal static class TrustedPath
{
    private const int MaxLinks = 40;

    /// <summary>The user to whom files of unmapped owners belong (user_namespaces(7)), the machine's root among them.</summary>
    private const uint Nobody = 65534;

    /// <summary>
    /// An O_PATH descriptor of the directory, or a negated errno; ENOTDIR for a last component that is a link and must not be one, as from
    /// openat(2).
    /// </summary>
    /// <exception cref="OciException">Somebody else's link is on the way.</exception>
    public static long Open(string path, bool lastMayBeLink)
    {
        Stack<string> rest = new();
        Push(rest, path);
        long at = Files.OpenAt(Files.AT_FDCWD, "/", Files.O_PATH | Files.O_DIRECTORY);
        for (int links = 0; at >= 0 && rest.TryPop(out string? name);)
        {
            using Fd directory = new((int)at);
            at = Files.OpenAt(directory.Number, name, Files.O_PATH | Files.O_NOFOLLOW);
            if (at < 0) break;
            using Fd next = new((int)at);
            OciException.Check(Files.Stat(next.Number, out Statx stat), $"stat {name} in {path}");
            if (!stat.IsSymlink)
            {
                at = stat.IsDirectory ? next.Release() : -Errno.ENOTDIR;
                continue;
            }
            if (rest.Count == 0 && !lastMayBeLink) return -Errno.ENOTDIR;
            if (++links > MaxLinks) return -Errno.ELOOP;
            CheckLink(path, name, stat, directory.Number);
            string target = Files.ReadLinkAt(next.Number, "", out long error)
                ?? throw OciException.FromResult(error, $"read link {name} in {path}");
            Push(rest, target);
            at = target.StartsWith('/') ? Files.OpenAt(Files.AT_FDCWD, "/", Files.O_PATH | Files.O_DIRECTORY) : directory.Release();
        }
        return at;
    }

    private static void Push(Stack<string> rest, string path)
    {
        string[] names = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        for (int i = names.Length - 1; i >= 0; i--) rest.Push(names[i]);
    }

    private static void CheckLink(string path, string name, in Statx link, int directory)
    {
        if (link.Uid == 0 || link.Uid == Processes.EffectiveUid()) return;
        // Of /var/run, say, all that is known in a user namespace is that nobody here made it, and nobody but the owner of /var can replace
        // it.
        bool unmapped = link.Uid == Nobody && UserNamespace.IsNested() && Files.Stat(directory, out Statx parent) >= 0
            && parent.Uid == Nobody && (parent.Mode & FileModes.WritableByOthers) == 0;
        if (unmapped) return;
        throw new OciException(
            $"state directory {path}: \"{name}\" on the way there is a symbolic link of uid {link.Uid}, who could lead it anywhere: name "
            + $"the directory itself with --root", Errno.EPERM);
    }
}
