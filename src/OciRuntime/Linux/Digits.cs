namespace OciRuntime.Linux;

/// <summary>Numbers as text, for whoever runs in every launch.</summary>
internal static class Digits
{
    // That of long.MinValue.
    private const int MaxLength = 20;

    /// <summary>
    /// In decimal. int.ToString makes a table of small numbers at its first use, and a number in an interpolated string the pool of
    /// buffers, with finalizers and weak references: for the few numbers of one launch either costs more than it saves.
    /// </summary>
    public static string Of(long number)
    {
        Span<char> digits = stackalloc char[MaxLength];
        number.TryFormat(digits, out int length);
        return new string(digits[..length]);
    }
}
