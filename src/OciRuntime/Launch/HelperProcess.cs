using System.Text;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>How a helper ended.</summary>
/// <param name="Status">What wait(2) says.</param>
/// <param name="Errno">Why it could not be executed, or 0.</param>
/// <param name="TimedOut">It was killed for taking too long.</param>
/// <param name="Output">The beginning of what it printed.</param>
internal readonly record struct HelperResult(WaitStatus Status, int Errno, bool TimedOut, string Output)
{
    public bool Succeeded => Status.Succeeded && Errno == 0 && !TimedOut;
}

/// <summary>
/// Starts a helper by clone3 and execve, and waits for it on its pidfd: System.Diagnostics.Process would reap children behind our back.
/// </summary>
internal static class HelperProcess
{
    // Output beyond this is read and dropped, so that a chatty hook neither blocks nor fills memory.
    private const int MaxOutput = 8192;

    /// <summary>Runs the program to its end. A request to end kills it and throws.</summary>
    /// <param name="program">What to run.</param>
    /// <param name="interruption">Null where nothing may interrupt it.</param>
    public static HelperResult Run(HelperProgram program, Interruption? interruption)
    {
        using Pipe printed = new(), report = new();
        // Our end only: the hook's must block, or a chatty one would meet EAGAIN.
        OciException.Check(Files.Fcntl(printed.Reader.Number, Files.F_SETFL, Files.O_NONBLOCK), "fcntl");
        int pid = Check(program.Clone(printed.Writer.Number, report.Writer.Number, out int pidfdNumber));
        using Fd pidfd = new(pidfdNumber);
        printed.Writer.Dispose();
        report.Writer.Dispose();
        // The write end is close-on-exec: end of file means that the program runs.
        long told = Files.Read(report.Reader.Number, out int errno);
        if (told < 0) errno = (int)-told;
        List<byte> output = [];
        bool timedOut;
        try
        {
            timedOut = !Wait(pidfd.Number, printed.Reader.Number, program.TimeoutSeconds, interruption, output);
        }
        catch (InterruptedException)
        {
            End(pid, pidfd.Number, kill: true);
            throw;
        }
        WaitStatus status = End(pid, pidfd.Number, kill: timedOut);
        return new HelperResult(status, errno, timedOut, Encoding.UTF8.GetString([.. output]).TrimEnd());
    }

    /// <summary>Starts a program and returns when it runs. It is the caller's to wait for.</summary>
    /// <exception cref="OciException">It cannot be executed.</exception>
    public static (int Pid, Fd PidFd) Start(CompanionProgram program)
    {
        List<Fd> copies = [];
        using Pipe report = new();
        try
        {
            // Above the numbers they are to get, so that none is overwritten before its turn.
            foreach (int channel in program.Channels)
                copies.Add(Fd.Of(Files.Fcntl(channel, Files.F_DUPFD_CLOEXEC, 3 + program.Channels.Length), "duplicate a descriptor"));
            int pid = Check(program.Clone(copies, report.Writer.Number, out int pidfd));
            report.Writer.Dispose();
            if (Files.Read(report.Reader.Number, out int errno) != sizeof(int)) return (pid, new Fd(pidfd));
            End(pid, pidfd, kill: false);
            Files.Close(pidfd);
            throw OciException.FromResult(-errno, $"start {program.Path}");
        }
        finally
        {
            foreach (Fd copy in copies) copy.Dispose();
        }
    }

    private static int Check(long pid) => (int)OciException.Check(pid, "clone");

    /// <summary>Reads output until the program ends; what its own children still write is not waited for. False on time-out.</summary>
    private static bool Wait(int pidfd, int output, int timeoutSeconds, Interruption? interruption, List<byte> text)
    {
        long deadline = timeoutSeconds > 0 ? Environment.TickCount64 + timeoutSeconds * 1000L : long.MaxValue;
        Span<PollFd> fds = stackalloc PollFd[3];
        while (true)
        {
            fds[0] = PollFd.Reading(pidfd);
            fds[1] = PollFd.Reading(interruption?.Descriptor ?? -1);
            fds[2] = PollFd.Reading(output);
            int left = deadline == long.MaxValue ? -1 : (int)Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
            if (OciException.Check(Processes.Poll(fds, left), "poll") == 0) return false;
            if (fds[1].Returned != 0) interruption!.Check();
            if (fds[2].Returned != 0 && !ReadSome(output, text)) output = -1;
            if (fds[0].Returned == 0) continue;
            // What it wrote last; of a daemon that goes on writing, no more than is kept anyway.
            while (output >= 0 && text.Count < MaxOutput && ReadSome(output, text))
            {
            }
            return true;
        }
    }

    /// <summary>False when there is no more, at the moment or ever.</summary>
    private static bool ReadSome(int fd, List<byte> text)
    {
        Span<byte> buffer = stackalloc byte[1024];
        long n = Files.Read(fd, buffer);
        if (n > 0 && text.Count < MaxOutput) text.AddRange(buffer[..(int)n]);
        return n > 0;
    }

    /// <summary>Takes the program's status, after killing it and the group it leads if need be.</summary>
    private static WaitStatus End(int pid, int pidfd, bool kill)
    {
        if (kill)
        {
            // ESRCH, for both: it has ended by itself, or has not become the leader of a group yet.
            Processes.Kill(-pid, Processes.SIGKILL);
            Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        }
        // A child that nobody else waits for.
        Processes.Reap(pid, out WaitStatus status);
        return status;
    }
}
