namespace OciRuntime.Cli;

/// <summary>How many arguments (not options) a command takes.</summary>
public readonly record struct Arity(int Min, int Max)
{
    public static Arity None => new(0, 0);
    public static Arity One => new(1, 1);

    public static Arity AtLeast(int min) => new(min, int.MaxValue);
}
