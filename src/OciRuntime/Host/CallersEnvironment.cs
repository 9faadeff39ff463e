using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>
/// The environment that this program was called with, for programs of the host that get it as it is: hooks that name none, criu. Bytes, as
/// nothing says that a variable is UTF-8.
/// </summary>
internal static class CallersEnvironment
{
    /// <summary>
    /// The variables, each NAME=VALUE and ended by a NUL, in the caller's order: where they are, as each copy would be one more to be wiped
    /// in a process that is to know nothing of the caller.
    /// </summary>
    /// <param name="except">What those begin with that are left out.</param>
    public static List<nint> Variables(string? except = null)
    {
        (long start, long length) = OwnMemory.Environment();
        if (start == 0 || length is < 0 or > int.MaxValue)
        {
            throw new OciException("/proc/self/stat does not tell where the environment is: no program can be given the caller's",
                Errno.ENODATA);
        }
        List<nint> variables = [];
        ReadOnlySpan<byte> rest = Processes.OwnMemory(start, (int)length);
        for (int end; (end = rest.IndexOf((byte)0)) >= 0; rest = rest[(end + 1)..])
        {
            if (end > 0 && !Begins(rest[..end], except)) variables.Add((nint)(start + length - rest.Length));
        }
        return variables;
    }

    private static bool Begins(ReadOnlySpan<byte> variable, string? prefix)
    {
        if (prefix is null || variable.Length < prefix.Length) return false;
        for (int i = 0; i < prefix.Length; i++) if (variable[i] != prefix[i]) return false;
        return true;
    }
}
