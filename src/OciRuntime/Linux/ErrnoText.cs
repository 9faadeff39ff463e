namespace OciRuntime.Linux;

/// <summary>Names and texts of error numbers.</summary>
public static class ErrnoText
{
    /// <summary>Go's text, for example <c>no such file or directory</c>. Docker, CRI-O and containerd compare these, case and all.</summary>
    public static string Describe(int errno) => throw new NotImplementedException();

    /// <summary>The kernel's name, for example <c>ENOENT</c>.</summary>
    public static string Name(int errno) => throw new NotImplementedException();
}
