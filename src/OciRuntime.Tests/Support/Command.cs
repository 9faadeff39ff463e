using System.Collections;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Runs programs without a shell. System.Diagnostics.Process cannot give files as stdio nor pass descriptors, so this is posix_spawn:
/// all signals at their defaults, an empty signal mask, and no descriptor but those asked for.
/// </summary>
public static unsafe class Command
{
    /// <summary>Runs to the end and captures the output; throws <see cref="TimeoutException"/> after killing what takes too long.</summary>
    public static CommandResult Run(string file, params string[] args) => Run(file, args, new CommandOptions());

    /// <inheritdoc cref="Run(string, string[])"/>
    public static CommandResult Run(string file, IEnumerable<string> args, CommandOptions options)
    {
        using RunningCommand running = Start(file, args, options);
        return running.Wait(options.Timeout);
    }

    /// <summary>Starts without waiting.</summary>
    public static RunningCommand Start(string file, params string[] args) => Start(file, args, new CommandOptions());

    /// <inheritdoc cref="Start(string, string[])"/>
    public static RunningCommand Start(string file, IEnumerable<string> args, CommandOptions options)
    {
        string[] argv = [file, .. args];
        OutputFile stdout = new("stdout");
        OutputFile stderr = new("stderr");
        long started = Stopwatch.GetTimestamp();
        int pid = SpawnWithStdio(argv, options, options.StdoutFd ?? stdout.Fd, options.StderrFd ?? stderr.Fd);
        return new RunningCommand(pid, string.Join(' ', argv), started, stdout, stderr);
    }

    [NeedsMachine]
    private static int SpawnWithStdio(string[] argv, CommandOptions options, int stdout, int stderr)
    {
        SortTestsAttribute.DemandSystemTest(argv[0]);
        using OutputFile? text = options.Stdin is { } stdin ? OutputFile.Containing(System.Text.Encoding.UTF8.GetBytes(stdin)) : null;
        int devNull = Libc.Check(Syscall.open("/dev/null", OpenFlags.O_RDWR | OpenFlags.O_CLOEXEC), "/dev/null");
        List<int> high = [];
        try
        {
            // Far above the targets, so that no dup2 overwrites the source of a later one.
            int[] wanted = [options.StdinFd ?? text?.Fd ?? devNull, stdout, stderr, .. options.ExtraFds];
            foreach (int fd in wanted) high.Add(Libc.Check(Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, 200), $"dup of descriptor {fd}"));
            return Children.Spawn(() => Spawn(argv, options, high));
        }
        finally
        {
            high.ForEach(fd => _ = Syscall.close(fd));
            _ = Syscall.close(devNull);
        }
    }

    private static int Spawn(string[] argv, CommandOptions options, List<int> fds)
    {
        // Opaque glibc types: 80 and 336 bytes; sigset_t has 128.
        byte* actions = stackalloc byte[256];
        byte* attributes = stackalloc byte[512];
        _ = Libc.posix_spawn_file_actions_init(actions);
        _ = Libc.posix_spawnattr_init(attributes);
        byte** arguments = ToVector(argv);
        byte** environment = ToVector([.. EnvironmentFor(options)]);
        try
        {
            for (int i = 0; i < fds.Count; i++) ThrowOnError(Libc.posix_spawn_file_actions_adddup2(actions, fds[i], i), "adddup2");
            // Whoever started the test host may have leaked descriptors to it; the command shall have only those of the test.
            ThrowOnError(Libc.posix_spawn_file_actions_addclosefrom_np(actions, fds.Count), "addclosefrom");
            if (options.WorkingDirectory is { } directory)
                ThrowOnError(Libc.posix_spawn_file_actions_addchdir_np(actions, directory), "addchdir");
            ResetSignals(attributes, options.NewSession);
            ThrowOnError(Libc.posix_spawnp(out int pid, arguments[0], actions, attributes, arguments, environment), argv[0]);
            return pid;
        }
        finally
        {
            FreeVector(arguments);
            FreeVector(environment);
            _ = Libc.posix_spawn_file_actions_destroy(actions);
            _ = Libc.posix_spawnattr_destroy(attributes);
        }
    }

    /// <summary>.NET ignores SIGPIPE, which would survive the exec and change what a runtime or container sees.</summary>
    private static void ResetSignals(byte* attributes, bool newSession)
    {
        byte* all = stackalloc byte[128];
        byte* none = stackalloc byte[128];
        // Not sigfillset: it leaves out the two signals glibc uses itself, and posix_spawn would have the child ignore them.
        new Span<byte>(all, 128).Fill(0xff);
        _ = Libc.sigdelset(all, Libc.SIGKILL);
        _ = Libc.sigdelset(all, Libc.SIGSTOP);
        _ = Libc.sigemptyset(none);
        _ = Libc.posix_spawnattr_setsigdefault(attributes, all);
        _ = Libc.posix_spawnattr_setsigmask(attributes, none);
        int session = newSession ? Libc.POSIX_SPAWN_SETSID : 0;
        _ = Libc.posix_spawnattr_setflags(attributes, (short)(Libc.POSIX_SPAWN_SETSIGDEF | Libc.POSIX_SPAWN_SETSIGMASK | session));
    }

    private static IEnumerable<string> EnvironmentFor(CommandOptions options)
    {
        Dictionary<string, string?> variables = [];
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            variables[(string)variable.Key] = (string?)variable.Value;
        // What the test host happens to have must not change what a runtime does.
        foreach (string name in (string[])["NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]) variables.Remove(name);
        foreach ((string name, string? value) in options.Env)
        {
            variables[name] = value;
        }
        return variables.Where(variable => variable.Value is not null).Select(variable => $"{variable.Key}={variable.Value}");
    }

    private static byte** ToVector(string[] strings)
    {
        byte** vector = (byte**)NativeMemory.AllocZeroed((nuint)strings.Length + 1, (nuint)sizeof(byte*));
        for (int i = 0; i < strings.Length; i++) vector[i] = (byte*)Marshal.StringToCoTaskMemUTF8(strings[i]);
        return vector;
    }

    private static void FreeVector(byte** vector)
    {
        for (byte** next = vector; *next is not null; next++) Marshal.FreeCoTaskMem((nint)(*next));
        NativeMemory.Free(vector);
    }

    private static void ThrowOnError(int errno, string what)
    {
        if (errno != 0) throw new IOException($"cannot start {what}: {Marshal.GetPInvokeErrorMessage(errno)}");
    }
}
