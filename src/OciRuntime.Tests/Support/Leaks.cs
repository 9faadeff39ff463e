namespace OciRuntime.Tests.Support;

/// <summary>
/// What a Dispose found left behind. It does not throw, since that would hide the reason why a test failed;
/// <see cref="LeavesNothingAttribute"/> fails the test afterwards.
/// </summary>
public static class Leaks
{
    private static readonly List<string> Found = [];

    /// <summary>Notes something left.</summary>
    public static void Report(string what)
    {
        lock (Found)
        {
            Found.Add(what);
        }
    }

    /// <summary>Gives what was noted since the last call and forgets it.</summary>
    public static IReadOnlyList<string> Take()
    {
        lock (Found)
        {
            string[] all = [.. Found];
            Found.Clear();
            return all;
        }
    }
}
