using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Cli;

/// <summary>A checkout with build.sh and its scripts, no sources, and stand-ins for the programs that they call.</summary>
internal sealed class ScratchCheckout : IDisposable
{
    private const string Search = "/usr/sbin:/usr/bin:/sbin:/bin";

    public ScratchCheckout()
    {
        foreach (string path in (string[])["build.sh", "scripts", "Directory.Build.props"])
            Command.Run("cp", "-r", Path.Combine(Ocirun.RepositoryRoot, path), Directory).ShouldSucceed();
        foreach (string project in (string[])["OciRuntime", "OciRuntime.Generators"])
            System.IO.Directory.CreateDirectory($"{Directory}/src/{project}");
    }

    public string Directory { get; } = TestRun.NewDirectory("checkout");

    public string Script => $"{Directory}/build.sh";

    /// <summary>Where the stand-ins are, and then the host's programs.</summary>
    public string SearchPath => $"{Directory}/programs:{Search}";

    public CommandOptions Options => new()
    {
        WorkingDirectory = Directory,
        Env = new Dictionary<string, string?> { ["PATH"] = SearchPath, ["HERE"] = Directory },
    };

    /// <summary>Adds a program, which finds the checkout in $HERE.</summary>
    public void AddProgram(string name, string script)
    {
        string file = $"{System.IO.Directory.CreateDirectory($"{Directory}/programs").FullName}/{name}";
        File.WriteAllText(file, $"#!/bin/bash\n{script}\n");
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    /// <summary>The lines of a file, which may not be there.</summary>
    public string[] LinesOf(string file) => File.Exists($"{Directory}/{file}") ? File.ReadAllLines($"{Directory}/{file}") : [];

    public void Dispose() => Cleaner.DeleteTree(Directory);
}
