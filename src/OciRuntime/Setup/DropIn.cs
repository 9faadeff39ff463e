using OciRuntime.Linux;

namespace OciRuntime.Setup;

/// <summary>
/// A file of our own, which the engine reads beside its main one. Its first line tells it from a file that somebody else has written.
/// </summary>
internal abstract class DropIn(string engine) : EngineFile
{
    private const string Mark = "# Written by \"ocirun setup ";

    public override bool IsOurs => true;

    public sealed override string With(string? text, SetupRequest request, IEnumerable<string> older)
    {
        if (text is not null) RequireOurs(text);
        return $"""
            {Mark}{engine}", which replaces this file as a whole; --remove deletes it.
            {Content(request)}

            """;
    }

    public sealed override string? Without(string text, string name, IEnumerable<string> older)
    {
        RequireOurs(text);
        return null;
    }

    protected abstract string Content(SetupRequest request);

    private static void RequireOurs(string text)
    {
        if (!text.StartsWith(Mark, StringComparison.Ordinal))
            throw new OciException("was not written by ocirun setup, so it is left alone; --config names another file");
    }
}
