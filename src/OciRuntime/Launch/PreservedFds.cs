using System.Globalization;
using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>
/// The caller's descriptors that the container keeps: from 3 on, those of socket activation, then --preserve-fds. Some of the numbers may
/// be closed: Podman's --preserve-fd=9,40 becomes --preserve-fds 38 with two of them open.
/// </summary>
internal sealed class PreservedFds
{
    private PreservedFds(int count, int[] open, int[] taken) => Numbers = (count, open, taken);

    /// <summary>Nothing but stdio.</summary>
    public static PreservedFds None => new(0, [], []);

    /// <summary>
    /// How many numbers from 3 on are not this process's to use: up to the last one that is open; which of them are open; and at which of
    /// the others the language runtime has something open.
    /// </summary>
    public (int Count, int[] Open, int[] Taken) Numbers { get; }

    /// <summary>
    /// Socket activation: the number of descriptors, when the variables are meant for this process (sd_listen_fds(3)). The re-execution
    /// from a sealed copy keeps the pid.
    /// </summary>
    public static int Listen()
    {
        if (Environment.GetEnvironmentVariable("LISTEN_PID") is not { } pid || pid != Digits.Of(Processes.Pid())) return 0;
        return int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), out int count) && count > 0 ? count : 0;
    }

    /// <summary>
    /// Finds out which are open, and takes the numbers between them, before this process opens anything: a number that is free would be
    /// given to a descriptor of the runtime, and the container would get, say, the state directory (the escape of CVE-2024-21626). From
    /// here on everything is close-on-exec; whatever else the caller left open is, too.
    /// </summary>
    /// <param name="preserve">--preserve-fds.</param>
    public static PreservedFds Claim(int preserve)
    {
        if (preserve < 0) throw new OciException($"--preserve-fds {preserve}: must not be negative");
        long wanted = (long)Listen() + preserve;
        PreservedFds result = wanted == 0 ? None : Claim(wanted);
        OciException.Check(Files.CloseRange(3, uint.MaxValue, Files.CLOSE_RANGE_CLOEXEC), "close_range");
        return result;
    }

    private static PreservedFds Claim(long wanted)
    {
        List<int> open = [];
        using Fd directory = Fd.Open("/proc/self/fd", Files.O_RDONLY | Files.O_DIRECTORY, "open /proc/self/fd");
        List<string> names = Files.ListDirectory(directory.Number, out long error);
        OciException.Check(error, "read /proc/self/fd");
        directory.Dispose();
        foreach (string name in names)
        {
            if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int fd) && fd >= 3 && fd < 3 + wanted
                && IsCallers(fd))
            {
                open.Add(fd);
            }
        }
        if (open.Count == 0) return None;
        open.Sort();
        List<int> taken = [];
        int next = 3;
        foreach (int fd in open)
        {
            for (; next < fd; next++) if (!Occupy(next)) taken.Add(next);
            next = fd + 1;
        }
        return new PreservedFds(next - 3, [.. open], [.. taken]);
    }

    /// <summary>
    /// What is close-on-exec did not come with this program: it is the language runtime's, opened before the first line here ran.
    /// </summary>
    private static bool IsCallers(int fd) => Files.Fcntl(fd, Files.F_GETFD) is >= 0 and var flags && (flags & Files.FD_CLOEXEC) == 0;

    /// <summary>
    /// By a copy of stdin, which is nothing that the container does not have, and is gone with execve. False for a number that the language
    /// runtime has.
    /// </summary>
    private static bool Occupy(int fd)
    {
        if (Files.Fcntl(fd, Files.F_GETFD) >= 0) return false;
        long copy = Files.Fcntl(0, Files.F_DUPFD_CLOEXEC, fd);
        if (copy == fd) return true;
        // Words only now: to make them, the language runtime may open something.
        if (copy < 0) throw OciException.FromResult(copy, $"--preserve-fds: take the place of descriptor {fd}, which is closed");
        Files.Close((int)copy);
        return false;
    }
}
