namespace OciRuntime.Init;

/// <summary>The little text work the child needs, in buffers its caller owns.</summary>
internal static unsafe class InitText
{
    /// <summary>Writes a number in the given base with its NUL; returns the length without it.</summary>
    public static int Number(byte* buffer, long value, int radix = 10)
    {
        ulong rest = value < 0 ? (ulong)-value : (ulong)value;
        int digits = 0;
        byte* reversed = stackalloc byte[24];
        do
        {
            reversed[digits++] = (byte)('0' + (int)(rest % (ulong)radix));
            rest /= (ulong)radix;
        }
        while (rest != 0);
        int n = 0;
        if (value < 0) buffer[n++] = (byte)'-';
        while (digits > 0) buffer[n++] = reversed[--digits];
        buffer[n] = 0;
        return n;
    }

    /// <summary>Appends text at <paramref name="used"/>; returns the new length, or -1 when it does not fit with its NUL.</summary>
    public static int Append(byte* buffer, int used, int size, byte* text)
    {
        if (used < 0) return -1;
        while (*text != 0)
        {
            if (used >= size - 1) return -1;
            buffer[used++] = *text++;
        }
        buffer[used] = 0;
        return used;
    }
}
