using System.Buffers.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Where the kernel has put things in this process's memory (proc_pid_stat(5)).</summary>
internal static class OwnMemory
{
    // Numbers of the fields in the manual page.
    private const int ArgStart = 48, EnvStart = 50, EnvEnd = 51;

    /// <summary>
    /// The arguments and, behind them, the variables that execve brought: first byte and length; 0 and 0 where the kernel does not tell.
    /// </summary>
    public static (long Start, long Length) CallersWords() => From(ArgStart);

    /// <summary>The variables alone.</summary>
    public static (long Start, long Length) Environment() => From(EnvStart);

    private static (long Start, long Length) From(int field)
    {
        ReadOnlySpan<byte> line = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/stat", 4096, out _) ?? [];
        return Utf8Parser.TryParse(StatLine.From(line, field), out long start, out _)
            && Utf8Parser.TryParse(StatLine.From(line, EnvEnd), out long end, out _) ? (start, end - start) : default;
    }
}
