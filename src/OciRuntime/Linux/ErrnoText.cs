namespace OciRuntime.Linux;

/// <summary>Placeholder until the command line's table is merged.</summary>
internal static class ErrnoText
{
    public static string Describe(int errno) => $"errno {errno}";
    public static string Name(int errno) => $"E{errno}";
}
