using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>
/// The environment that this program was called with, for programs of the host that get it as it is: hooks that name none, criu. Bytes, as nothing
/// says that a variable is UTF-8.
/// </summary>
internal static class CallersEnvironment
{
    /// <summary>The mark of the re-execution from a sealed copy, which is nobody else's (Native/seal.c).</summary>
    private static ReadOnlySpan<byte> Mark => "_OCIRUN_SEALED="u8;

    /// <summary>
    /// The variables, each NAME=VALUE and ended by a NUL, in the caller's order: where they are, as each copy would be one more to be wiped in a process that
    /// is to know nothing of the caller.
    /// </summary>
    public static unsafe List<nint> Variables()
    {
        (long start, long length) = OwnMemory.Environment();
        if (start == 0 || length is < 0 or > int.MaxValue) throw new OciException("/proc/self/stat does not tell where the environment is: no program can be given the caller's", Errno.ENODATA);
        List<nint> variables = [];
        for (ReadOnlySpan<byte> rest = new((byte*)start, (int)length); rest.IndexOf((byte)0) is var end and >= 0; rest = rest[(end + 1)..])
        {
            if (end > 0 && !rest.StartsWith(Mark)) variables.Add((nint)(start + length - rest.Length));
        }
        return variables;
    }
}
