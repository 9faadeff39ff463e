namespace OciRuntime.Setup;

/// <summary>
/// The configuration file of an engine, as a text with and without this runtime in it. Both functions are pure, and
/// <c>With(With(x))</c> is <c>With(x)</c>: that is what makes a second setup change nothing.
/// </summary>
internal abstract class EngineFile
{
    /// <summary>True when the file holds nothing but what is written here, so that there is nothing in it to keep a backup of.</summary>
    public virtual bool IsOurs => false;

    /// <summary>
    /// Where the engine looks by itself; null when it looks nowhere. <paramref name="home"/> is an ordinary user's directory of
    /// configurations, or null.
    /// </summary>
    public abstract string? DefaultPath(string name, string? home);

    /// <summary>Whether there is a shim of containerd's between the engine and the runtime.</summary>
    public virtual bool HasShim => false;

    /// <summary>Refuses what this engine cannot be told.</summary>
    public virtual void Check(SetupRequest request)
    {
    }

    /// <summary>
    /// The file with the runtime. <paramref name="text"/> is null when there is none; <paramref name="older"/> are the backups, newest
    /// first.
    /// </summary>
    public abstract string With(string? text, SetupRequest request, IEnumerable<string> older);

    /// <summary>The file without the runtime; null when there was no file before, as far as the backups tell.</summary>
    public abstract string? Without(string text, string name, IEnumerable<string> older);

    /// <summary>What to do for the change to take effect, and how to see that it has; one line.</summary>
    public abstract string Next(SetupRequest request, bool user);
}
