using OciRuntime.Linux;

namespace OciRuntime.State;

/// <summary>
/// What takes something away is tried twice before it fails: memory or descriptors that were short for a moment leave nothing behind then.
/// </summary>
internal static class SecondTry
{
    /// <summary>Does what may be repeated. What is busy (EBUSY) has been waited for, and is not waited for again.</summary>
    public static void Of<T>(T subject, Action<T> deed)
    {
        try
        {
            deed(subject);
        }
        catch (OciException e) when (e.Errno != Errno.EBUSY)
        {
            deed(subject);
        }
    }
}
