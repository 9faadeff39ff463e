using OciRuntime.Linux;

namespace OciRuntime.Launch;

/// <summary>The caller's descriptors that the container keeps: from 3 on, those of socket activation, then --preserve-fds.</summary>
internal static class PreservedFds
{
    /// <summary>
    /// Socket activation: the number of descriptors, when the variables are meant for this process (sd_listen_fds(3)). The re-execution from a
    /// sealed copy keeps the pid.
    /// </summary>
    public static int Listen()
    {
        if (Environment.GetEnvironmentVariable("LISTEN_PID") != Processes.Pid().ToString()) return 0;
        return int.TryParse(Environment.GetEnvironmentVariable("LISTEN_FDS"), out int count) && count > 0 ? count : 0;
    }

    /// <summary>
    /// Checks that they are open, before this process opens anything: a missing number would be given to a descriptor of the runtime, and the
    /// container would get, say, the state directory (the escape of CVE-2024-21626).
    /// </summary>
    public static void Check(int preserve)
    {
        if (preserve < 0) throw new OciException($"--preserve-fds {preserve}: must not be negative");
        int listen = Listen();
        for (int i = 0; i < listen; i++)
        {
            if (!IsOpen(3 + i)) throw new OciException($"LISTEN_FDS={listen}: descriptor {3 + i} is not open");
        }
        for (int i = 0; i < preserve; i++)
        {
            if (!IsOpen(3 + listen + i)) throw new OciException($"unable to stat preserved-fd {i} (of {preserve}): descriptor {3 + listen + i} is not open");
        }
    }

    private static bool IsOpen(int fd) => Files.Fcntl(fd, Files.F_GETFD) >= 0;
}
