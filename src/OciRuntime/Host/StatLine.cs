namespace OciRuntime.Host;

/// <summary>The line of /proc/PID/stat (proc_pid_stat(5)).</summary>
internal static class StatLine
{
    /// <summary>
    /// What begins with the field of this number in the manual page, from 3 on; nothing where there is none. The name in field 2 is the
    /// program's choice and may hold blanks and parentheses: fields are counted from the last one.
    /// </summary>
    public static ReadOnlySpan<byte> From(ReadOnlySpan<byte> line, int field)
    {
        ReadOnlySpan<byte> rest = line[(line.LastIndexOf((byte)')') + 1)..];
        for (int number = 2; number < field; number++)
        {
            int blank = rest.IndexOf((byte)' ');
            if (blank < 0) return [];
            rest = rest[(blank + 1)..];
        }
        return rest;
    }
}
