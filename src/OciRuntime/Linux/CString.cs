using System.Text;

namespace OciRuntime.Linux;

/// <summary>NUL-terminated UTF-8 for one system call in the parent, on the caller's stack where it fits.</summary>
internal static class CString
{
    /// <summary>
    /// Encodes <paramref name="text"/> with its NUL into <paramref name="buffer"/>, or into a new array when it does not fit.
    /// </summary>
    /// <exception cref="ArgumentException">The text has an embedded NUL: the kernel would see a shorter path than was checked.</exception>
    public static ReadOnlySpan<byte> Encode(string text, Span<byte> buffer)
    {
        if (text.Contains('\0')) throw new ArgumentException("embedded NUL character", nameof(text));
        if (Encoding.UTF8.TryGetBytes(text, buffer[..^1], out int written))
        {
            buffer[written] = 0;
            return buffer;
        }
        byte[] bytes = new byte[Encoding.UTF8.GetByteCount(text) + 1];
        Encoding.UTF8.GetBytes(text, bytes);
        return bytes;
    }

    /// <summary>Copies bytes and puts a NUL behind them, in <paramref name="buffer"/> or in a new array when they do not fit.</summary>
    public static ReadOnlySpan<byte> Terminate(ReadOnlySpan<byte> text, Span<byte> buffer)
    {
        if (text.Length >= buffer.Length) buffer = new byte[text.Length + 1];
        text.CopyTo(buffer);
        buffer[text.Length] = 0;
        return buffer;
    }

    /// <summary>Whether a NUL-terminated string is this word.</summary>
    public static unsafe bool Is(byte* text, ReadOnlySpan<byte> word)
    {
        for (int i = 0; i < word.Length; i++) if (text[i] != word[i]) return false;
        return text[word.Length] == 0;
    }

    /// <summary>Length of a NUL-terminated string in bytes, without the NUL.</summary>
    public static unsafe int Length(byte* text)
    {
        int n = 0;
        while (text[n] != 0) n++;
        return n;
    }
}
