using System.Text;
using System.Text.Unicode;
using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// The right to change a container, an flock(2) on its file <c>lock</c>. The kernel drops it when the last copy of the descriptor is
/// closed, so it cannot be left behind by a crash; but a child that inherits the descriptor keeps it, so the launch code closes it there.
/// </summary>
internal sealed class ContainerLock : IDisposable
{
    /// <summary>How long a verb waits for another one before it reports who is in the way.</summary>
    public const int DefaultWaitMilliseconds = 10_000;

    internal const string FileName = "lock";

    private const int SignatureLength = 40;

    private readonly Fd _file;

    private ContainerLock(Fd file) => _file = file;

    /// <summary>The descriptor, or -1 once released.</summary>
    public int Number => _file.Number;

    /// <summary>Releases the lock.</summary>
    public void Dispose() => _file.Dispose();

    /// <summary>
    /// Takes the lock of the container directory <paramref name="directory"/>. Null when the container vanished while we waited.
    /// </summary>
    /// <param name="directory">Descriptor of the container's directory.</param>
    /// <param name="id">For the message.</param>
    /// <param name="verb">Who we are, for the message of the next one who waits.</param>
    /// <param name="waitMilliseconds">0: do not wait.</param>
    /// <param name="mayMake">Make the file where it is missing; otherwise that, too, is a container that is gone.</param>
    /// <exception cref="OciException">Somebody else holds it; errno is EBUSY.</exception>
    internal static ContainerLock? Take(int directory, string id, string verb, int waitMilliseconds, bool mayMake)
    {
        int flags = Files.O_RDWR | Files.O_NOFOLLOW | (mayMake ? Files.O_CREAT : 0);
        long fd = Files.OpenAt(directory, FileName, flags, FileModes.PrivateFile);
        if (fd == -Errno.ENOENT) return null; // With O_CREAT: the directory was removed under us; nothing can be made in it any more.
        ContainerLock taken = new(Fd.Of(fd, $"open lock of container {id}"));
        try
        {
            taken.Wait(id, waitMilliseconds);
            // Whoever removes a container unlinks the lock while holding it. One who opened it before gets one that excludes nobody.
            if (!Files.LeadsTo(directory, FileName, taken.Number))
            {
                taken.Dispose();
                return null;
            }
            taken.Sign(verb);
            return taken;
        }
        catch
        {
            taken.Dispose();
            throw;
        }
    }

    // flock(2) knows no time limit, and an alarm would be a signal handler: so it is asked again and again.
    private void Wait(string id, int milliseconds)
    {
        long result = Patience.Of(milliseconds).Retry(() => Files.Flock(Number, Files.LOCK_EX | Files.LOCK_NB));
        if (result == -Errno.ETIMEDOUT) throw new OciException($"container {id} is busy: {Holder()}", Errno.EBUSY);
        OciException.Check(result, $"lock container {id}");
    }

    // Of a fixed width, so that one write replaces what the last holder wrote. Only for messages: on a full disk it fails, and that is
    // fine.
    private void Sign(string verb)
    {
        Span<byte> line = stackalloc byte[SignatureLength];
        line.Fill((byte)' ');
        Utf8.TryWrite(line, $"{Processes.Pid()} {verb}", out _);
        line[^1] = (byte)'\n';
        // See above.
        Files.WriteAll(Number, line);
    }

    private string Holder()
    {
        Span<byte> line = stackalloc byte[SignatureLength];
        long length = Files.Read(Number, line);
        string[] words = length <= 0 ? [] : Encoding.UTF8.GetString(line[..(int)length])
            .Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return words.Length < 2 ? "held by another process" : $"held by pid {words[0]} ({words[1]})";
    }
}
