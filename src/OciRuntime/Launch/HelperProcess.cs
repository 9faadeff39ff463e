using System.Text;
using OciRuntime.Host;
using OciRuntime.Init;
using OciRuntime.Linux;
using OciRuntime.Plan;

namespace OciRuntime.Launch;

/// <summary>A program that the runtime starts on its own side: a hook.</summary>
internal sealed class HelperProgram
{
    public required string Path { get; init; }
    public required string[] Arguments { get; init; }

    /// <summary>Exactly this, or null for the caller's.</summary>
    public required string[]? Environment { get; init; }

    /// <summary>What it reads on stdin, as a rewound file.</summary>
    public required int Input { get; init; }

    /// <summary>Where its output goes, -1 for the result.</summary>
    public int Stdout { get; init; } = -1;

    public int Stderr { get; init; } = -1;

    /// <summary>Seconds until it is killed; 0 for no limit.</summary>
    public int TimeoutSeconds { get; init; }

    /// <summary>Where it starts; null for the caller's directory.</summary>
    public string? Directory { get; init; }
}

/// <summary>A program of the host that the runtime talks to while it works. Stdio, session, directory and environment are the caller's.</summary>
internal sealed class CompanionProgram
{
    public required string Path { get; init; }
    public required string[] Arguments { get; init; }

    /// <summary>Descriptors that it has as 3, 4, …</summary>
    public required int[] Channels { get; init; }

    /// <summary>Detached mounts and the absolute paths at which they are attached in a mount namespace of the program's own; with none, it is in the caller's.</summary>
    public (int Tree, string Target)[] Trees { get; init; } = [];
}

/// <summary>How a helper ended.</summary>
/// <param name="Status">wait(2) status.</param>
/// <param name="Errno">Why it could not be executed, or 0.</param>
/// <param name="TimedOut">It was killed for taking too long.</param>
/// <param name="Output">The beginning of what it printed.</param>
internal readonly record struct HelperResult(int Status, int Errno, bool TimedOut, string Output)
{
    public bool Succeeded => Status == 0 && Errno == 0 && !TimedOut;
}

/// <summary>Starts a helper by clone3 and execve, and waits for it on its pidfd: System.Diagnostics.Process would reap children behind our back.</summary>
internal static unsafe class HelperProcess
{
    // Output beyond this is read and dropped, so that a chatty hook neither blocks nor fills memory.
    private const int MaxOutput = 8192;

    /// <summary>Runs the program to its end. A request to end kills it and throws.</summary>
    /// <param name="program">What to run.</param>
    /// <param name="interruption">Null where nothing may interrupt it.</param>
    public static HelperResult Run(HelperProgram program, Interruption? interruption)
    {
        int* pipes = stackalloc int[4];
        OciException.Check(Files.Pipe(pipes, 0), "pipe");
        using Fd outputRead = new(pipes[0]), outputWrite = new(pipes[1]);
        // Our end only: the hook's must block, or a chatty one would meet EAGAIN.
        OciException.Check(Files.Fcntl(outputRead.Number, Files.F_SETFL, Files.O_NONBLOCK), "fcntl");
        OciException.Check(Files.Pipe(pipes + 2, 0), "pipe");
        using Fd reportRead = new(pipes[2]), reportWrite = new(pipes[3]);
        SpawnPlan* plan = Compile(program, outputWrite.Number, reportWrite.Number);
        int pid = Start(plan, out int pidfdNumber, 0);
        using Fd pidfd = new(pidfdNumber);
        outputWrite.Dispose();
        reportWrite.Dispose();
        int errno = 0;
        // The write end is close-on-exec: end of file means that the program runs.
        long told = Files.Read(reportRead.Number, (byte*)&errno, sizeof(int));
        if (told < 0) errno = (int)-told;
        List<byte> output = [];
        bool timedOut;
        try
        {
            timedOut = !Wait(pidfd.Number, outputRead.Number, program.TimeoutSeconds, interruption, output);
        }
        catch (InterruptedException)
        {
            End(pid, pidfd.Number, kill: true);
            throw;
        }
        int status = End(pid, pidfd.Number, kill: timedOut);
        return new HelperResult(status, errno, timedOut, Encoding.UTF8.GetString([.. output]).TrimEnd());
    }

    /// <summary>Starts a program and returns when it runs. It is the caller's to wait for.</summary>
    /// <exception cref="OciException">It cannot be executed.</exception>
    public static (int Pid, Fd PidFd) Start(CompanionProgram program)
    {
        List<Fd> copies = [];
        int* pipe = stackalloc int[2];
        OciException.Check(Files.Pipe(pipe, 0), "pipe");
        using Fd reportRead = new(pipe[0]), reportWrite = new(pipe[1]);
        try
        {
            // Above the numbers they are to get, so that none is overwritten before its turn.
            foreach (int channel in program.Channels)
            {
                copies.Add(new Fd((int)OciException.Check(Files.Fcntl(channel, Files.F_DUPFD_CLOEXEC, 3 + program.Channels.Length), "duplicate a descriptor")));
            }
            int pid = Start(Compile(program, copies, reportWrite.Number), out int pidfd, program.Trees.Length == 0 ? 0 : Processes.CLONE_NEWNS);
            reportWrite.Dispose();
            int errno = 0;
            if (Files.Read(reportRead.Number, (byte*)&errno, sizeof(int)) != sizeof(int)) return (pid, new Fd(pidfd));
            End(pid, pidfd, kill: false);
            Files.Close(pidfd);
            throw OciException.FromResult(-errno, $"start {program.Path}");
        }
        finally
        {
            foreach (Fd copy in copies) copy.Dispose();
        }
    }

    private static SpawnPlan* Compile(CompanionProgram program, List<Fd> channels, int report)
    {
        NativeArena arena = new();
        SpawnPlan* plan = (SpawnPlan*)arena.Allocate(sizeof(SpawnPlan));
        plan->Path = arena.Text(program.Path);
        plan->Arguments = arena.Texts(program.Arguments);
        plan->Environment = arena.Texts(CallersEnvironment.Variables());
        plan->Report = report;
        plan->Attached = true;
        plan->ChannelCount = channels.Count;
        plan->Channels = (int*)arena.Allocate(channels.Count * sizeof(int));
        for (int i = 0; i < channels.Count; i++) plan->Channels[i] = channels[i].Number;
        plan->TreeCount = program.Trees.Length;
        plan->Trees = (int*)arena.Allocate(program.Trees.Length * sizeof(int));
        for (int i = 0; i < program.Trees.Length; i++) plan->Trees[i] = program.Trees[i].Tree;
        plan->TreeTargets = arena.Texts([.. program.Trees.Select(static one => one.Target)]);
        return plan;
    }

    private static SpawnPlan* Compile(HelperProgram program, int output, int report)
    {
        NativeArena arena = new();
        SpawnPlan* plan = (SpawnPlan*)arena.Allocate(sizeof(SpawnPlan));
        plan->Path = arena.Text(program.Path);
        plan->Arguments = arena.Texts(program.Arguments);
        plan->Environment = program.Environment != null ? arena.Texts(program.Environment) : arena.Texts(CallersEnvironment.Variables());
        plan->Input = program.Input;
        plan->Output = program.Stdout >= 0 ? program.Stdout : output;
        plan->ErrorOutput = program.Stderr >= 0 ? program.Stderr : output;
        plan->Report = report;
        plan->Directory = arena.Text(program.Directory);
        return plan;
    }

    private static int Start(SpawnPlan* plan, out int pidfd, ulong namespaces)
    {
        int fd = -1;
        long pid = Processes.Clone(new CloneArgs { Flags = Processes.CLONE_PIDFD | namespaces, PidFd = (ulong)&fd, ExitSignal = Processes.SIGCHLD });
        if (pid == 0) Spawn.Run(plan);
        OciException.Check(pid, "clone");
        pidfd = fd;
        return (int)pid;
    }

    /// <summary>Reads output until the program ends; what its own children still write is not waited for. False on time-out.</summary>
    private static bool Wait(int pidfd, int output, int timeoutSeconds, Interruption? interruption, List<byte> text)
    {
        long deadline = timeoutSeconds > 0 ? Environment.TickCount64 + timeoutSeconds * 1000L : long.MaxValue;
        PollFd* fds = stackalloc PollFd[3];
        while (true)
        {
            fds[0] = new PollFd { Fd = pidfd, Events = Processes.POLLIN };
            fds[1] = new PollFd { Fd = interruption?.Descriptor ?? -1, Events = Processes.POLLIN };
            fds[2] = new PollFd { Fd = output, Events = Processes.POLLIN };
            int left = deadline == long.MaxValue ? -1 : (int)Math.Clamp(deadline - Environment.TickCount64, 0, int.MaxValue);
            long ready = Processes.Poll(fds, 3, left);
            if (ready == -Errno.EINTR) continue;
            OciException.Check(ready, "poll");
            if (ready == 0) return false;
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
        byte* buffer = stackalloc byte[1024];
        long n = Files.Read(fd, buffer, 1024);
        if (n > 0 && text.Count < MaxOutput) text.AddRange(new ReadOnlySpan<byte>(buffer, (int)n));
        return n > 0 || n == -Errno.EINTR;
    }

    /// <summary>Takes the program's status, after killing it and the group it leads if need be.</summary>
    private static int End(int pid, int pidfd, bool kill)
    {
        if (kill)
        {
            // ESRCH, for both: it has ended by itself, or has not become the leader of a group yet.
            Processes.Kill(-pid, Processes.SIGKILL);
            Processes.PidFdSendSignal(pidfd, Processes.SIGKILL);
        }
        int status;
        while (Processes.Wait(pid, out status, 0) == -Errno.EINTR) { }
        return status;
    }
}
