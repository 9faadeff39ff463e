using System.Text;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Shim;

/// <summary>The socket of a shim, whose name follows from what it is for.</summary>
internal static class ShimSocket
{
    public const string DefaultDirectory = "/run/containerd/s", Scheme = "unix://";

    /// <summary>containerd's rule: a hash, as the names themselves would not fit sockaddr_un.</summary>
    /// <param name="directory">Where such sockets are.</param>
    /// <param name="address">containerd's own socket.</param>
    /// <param name="space">Its namespace.</param>
    /// <param name="group">The pod, or the container.</param>
    public static string PathOf(string directory, string address, string space, string group)
    {
        string name = (address.StartsWith('/') ? "/" : "")
            + string.Join('/', $"{address}/{space}/{group}".Split('/', StringSplitOptions.RemoveEmptyEntries));
        return $"{directory}/{Convert.ToHexStringLower(Sha256.Of(Encoding.UTF8.GetBytes(name)))}";
    }

    /// <summary>Listens; null when somebody does already.</summary>
    /// <exception cref="OciException">The socket cannot be made.</exception>
    public static Fd? Listen(string directory, string path, int dialMilliseconds, int backlog)
    {
        if (Path.GetDirectoryName(directory) is { } parent) DirectoryTree.Make(parent, FileModes.PublicDirectory);
        DirectoryTree.Make(directory, FileModes.PrivateDirectory);
        Fd socket = Sockets.Open(Sockets.SOCK_STREAM);
        try
        {
            long bound = Bind(socket, path);
            if (bound == -Errno.EADDRINUSE)
            {
                if (Answers(path, dialMilliseconds))
                {
                    socket.Dispose();
                    return null;
                }
                // Of a shim that was killed. If it is gone by itself, so much the better.
                Files.UnlinkAt(Files.AT_FDCWD, path);
                bound = Bind(socket, path);
            }
            OciException.Check(bound, $"bind {path}");
            OciException.Check(Sockets.Listen(socket.Number, backlog), $"listen {path}");
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Whether somebody takes connections there.</summary>
    public static bool Answers(string path, int milliseconds)
    {
        using Fd socket = Sockets.Open(Sockets.SOCK_STREAM);
        OciException.Check(Sockets.SetSendTimeout(socket.Number, milliseconds), "setsockopt SO_SNDTIMEO");
        // A queue that stays full is that of somebody who lives.
        return Sockets.Connect(socket.Number, path) is 0 or -Errno.EAGAIN;
    }

    /// <summary>Nobody else may connect, from the first moment on.</summary>
    private static long Bind(Fd socket, string path)
    {
        uint umask = Files.SetUmask(FileModes.All & ~FileModes.PrivateFile);
        long result = Sockets.Bind(socket.Number, path);
        // The call cannot fail.
        _ = Files.SetUmask(umask);
        return result;
    }
}
