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

    /// <summary>The variables, each NAME=VALUE and ended by a NUL, in the caller's order.</summary>
    public static unsafe byte[] Block()
    {
        (long start, long length) = OwnMemory.Environment();
        if (start == 0 || length is < 0 or > int.MaxValue) throw new OciException("/proc/self/stat does not tell where the environment is: no program can be given the caller's", Errno.ENODATA);
        ReadOnlySpan<byte> all = new((byte*)start, (int)length);
        byte[] block = new byte[all.Length + 1];
        int used = 0;
        while (all.Length > 0)
        {
            int end = all.IndexOf((byte)0);
            ReadOnlySpan<byte> variable = end < 0 ? all : all[..end];
            all = end < 0 ? [] : all[(end + 1)..];
            if (variable.IsEmpty || variable.StartsWith(Mark)) continue;
            variable.CopyTo(block.AsSpan(used));
            used += variable.Length + 1;
        }
        return block[..used];
    }
}
