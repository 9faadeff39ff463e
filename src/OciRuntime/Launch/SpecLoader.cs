using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.Launch;

/// <summary>Reads config.json from a bundle and refuses what is wrong with it, all of it at once.</summary>
internal static class SpecLoader
{
    /// <summary>The configuration file's path; a relative one is relative to the bundle.</summary>
    public static string ConfigPath(string bundle, string config) => config.StartsWith('/') ? config : $"{bundle}/{config}";

    /// <summary>The configuration of <paramref name="bundle"/>, valid.</summary>
    /// <param name="bundle">Absolute path of the bundle.</param>
    /// <param name="config">The configuration file, relative to it.</param>
    /// <param name="warnings">Takes what is accepted and still worth a line.</param>
    /// <param name="bytes">The file.</param>
    /// <exception cref="OciException">It cannot be read, or the list of what is wrong.</exception>
    public static RuntimeSpec Load(string bundle, string config, List<string> warnings, out byte[] bytes)
    {
        Timeline.Phase("read the configuration");
        string path = ConfigPath(bundle, config);
        bytes = Files.ReadFileAt(Files.AT_FDCWD, path, SpecReader.MaxBytes, out long error) ?? throw Unreadable(path, config, error);
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(bytes, problems);
        if (!problems.HasErrors)
        {
            Timeline.Phase("validate it");
            SeccompReceiver.Apply(spec);
            SpecValidator.Validate(spec, problems);
        }
        problems.AddWarningsTo(warnings);
        return problems.HasErrors ? throw new OciException($"{path}: {problems}") : spec;
    }

    /// <summary>The configuration that a container was made from: it was valid then.</summary>
    public static RuntimeSpec Reload(State.ContainerEntry entry)
    {
        Timeline.Phase("read the configuration");
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(entry.ReadConfig(), problems);
        if (problems.HasErrors || spec.Process is null) throw new OciException($"{entry.Path}/config.json: {problems}");
        SeccompReceiver.Apply(spec);
        return spec;
    }

    /// <summary>A process.json, valid by itself.</summary>
    /// <exception cref="OciException">It cannot be read, or the list of what is wrong, with pointers that start at its root.</exception>
    public static Process LoadProcess(string path)
    {
        byte[] bytes = Files.ReadFileAt(Files.AT_FDCWD, path, SpecReader.MaxBytes, out long error)
            ?? throw OciException.FromResult(error, $"--process {path}: open");
        SpecProblems problems = new("the process object");
        Process process = SpecReader.ParseProcess(bytes, problems);
        if (!problems.HasErrors) SpecValidator.ValidateProcess(process, problems);
        return problems.HasErrors ? throw new OciException($"--process {path}: {problems}") : process;
    }

    private static OciException Unreadable(string path, string config, long error) => error switch
    {
        -Errno.ENOENT =>
            new OciException($"JSON specification file {config} not found: open {path}: no such file or directory", Errno.ENOENT),
        -Errno.EOVERFLOW => new OciException($"{path}: larger than {SpecReader.MaxBytes} bytes"),
        _ => OciException.FromResult(error, $"read {path}"),
    };

    /// <summary>
    /// The bundle as an absolute path without symlinks, so that state and hooks name it the same way whatever the caller's directory.
    /// </summary>
    public static string ResolveBundle(string? bundle)
    {
        string path = bundle ?? ".";
        using Fd directory = Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY, $"bundle {path}");
        return Files.PathOf(directory.Number, out long error)
            ?? throw OciException.FromResult(error, $"bundle {path}");
    }

    /// <summary>The root file system as an absolute path without symlinks: the image's owner must not choose where it is.</summary>
    public static string ResolveRootfs(RuntimeSpec spec, string bundle)
    {
        string given = spec.Root!.Path!;
        string path = given.StartsWith('/') ? given : $"{bundle}/{given}";
        using Fd directory = Fd.Open(path, Files.O_PATH | Files.O_DIRECTORY, $"/root/path \"{given}\": {path}");
        return Files.PathOf(directory.Number, out long error)
            ?? throw OciException.FromResult(error, $"/root/path \"{given}\"");
    }
}
