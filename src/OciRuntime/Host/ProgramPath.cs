using OciRuntime.Linux;

namespace OciRuntime.Host;

/// <summary>Programs of the host, looked up in PATH.</summary>
internal static class ProgramPath
{
    /// <summary>
    /// The absolute path of an executable file, or null. PATH is the caller's own and what is found runs with his privileges.
    /// </summary>
    public static string? Find(string name)
    {
        string? path = Environment.GetEnvironmentVariable("PATH");
        if (string.IsNullOrEmpty(path)) path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        foreach (string directory in path.Split(':'))
        {
            // A relative directory would be one of whoever made the bundle.
            if (directory.StartsWith('/') && IsProgram($"{directory}/{name}")) return $"{directory}/{name}";
        }
        return null;
    }

    private static bool IsProgram(string path) =>
        Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) >= 0 && stat.IsRegular && Files.AccessAsEffective(path, Files.X_OK) >= 0;
}
