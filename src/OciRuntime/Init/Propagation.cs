namespace OciRuntime.Init;

/// <summary>
/// Propagation words in the order they were given, packed four bits each, first word lowest: bit 3 says recursive, the low bits which
/// (1 private, 2 shared, 3 slave, 4 unbindable). Sixteen fit, and more mean nothing.
/// </summary>
internal static class Propagation
{
    public const ulong Private = 1, Shared = 2, Slave = 3, Unbindable = 4, Recursive = 8;

    /// <summary>The MS_… flag of the next word, whether it is recursive, and the words that are left.</summary>
    public static ulong Next(ulong words, out ulong flag, out bool recursive)
    {
        ulong word = words & 15;
        recursive = (word & Recursive) != 0;
        flag = (word & 7) switch
        {
            Private => Linux.Mounts.MS_PRIVATE,
            Shared => Linux.Mounts.MS_SHARED,
            Slave => Linux.Mounts.MS_SLAVE,
            _ => Linux.Mounts.MS_UNBINDABLE,
        };
        return words >> 4;
    }
}
