using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Where the kernel has put things in this process's memory (proc_pid_stat(5)).</summary>
internal static class OwnMemory
{
    // Numbers of the fields in the manual page; what follows the name begins with number 3.
    private const int ArgStart = 48, EnvStart = 50, EnvEnd = 51, First = 3;

    /// <summary>The arguments and, behind them, the variables that execve brought: first byte and length; 0 and 0 where the kernel does not tell.</summary>
    public static (long Start, long Length) CallersWords() => From(ArgStart);

    /// <summary>The variables alone.</summary>
    public static (long Start, long Length) Environment() => From(EnvStart);

    private static (long Start, long Length) From(int field)
    {
        byte[] text = Files.ReadFileAt(Files.AT_FDCWD, "/proc/self/stat", 4096, out _) ?? [];
        string line = Encoding.UTF8.GetString(text);
        string[] fields = line[(line.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        if (fields.Length <= EnvEnd - First) return default;
        long start = long.Parse(fields[field - First], CultureInfo.InvariantCulture);
        return (start, long.Parse(fields[EnvEnd - First], CultureInfo.InvariantCulture) - start);
    }
}
