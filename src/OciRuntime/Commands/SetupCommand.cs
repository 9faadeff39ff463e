using System.Diagnostics;
using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Setup;
using OciRuntime.Shim;

namespace OciRuntime.Commands;

/// <summary><c>ocirun setup ENGINE</c>: shows or writes the configuration that makes an engine use this program.</summary>
internal static class SetupCommand
{
    private const int NameMax = 63;

    public static int Run(GlobalOptions globals, SetupOptions o)
    {
        EngineFile engine = FileOf(o.Engine);
        string binary = o.Binary ?? OwnPath();
        SetupRequest request = new(o.Name, binary, o.Default,
            globals.SystemdCgroup || globals.CgroupManager == CgroupManager.Systemd,
            o.Shim ? ShimOf(binary) : null);
        CheckOptions(o, request);
        if (o.Shim && !engine.HasShim) throw new UsageException("--shim is for containerd and docker");
        engine.Check(request);
        string? path = o.Config ?? engine.DefaultPath(o.Name, o.User ? UserDirectory() : null);
        if (path is null && o.User) throw new UsageException("--user: this engine has no configuration of a single user");
        if (path is null && o.Write) throw new UsageException("--write: this engine reads no file by itself; name one with --config");

        ConfigurationFile? file = path is null ? null : ConfigurationFile.Read(path);
        string? after = After(engine, file, request, o.Remove);
        bool keepBackup = !engine.IsOurs && !(after is null && file?.Text is { } text && IsAsWritten(engine, text, request));
        if (!o.Write) Show(file, after, keepBackup);
        else if (after == file!.Text) Output.Write($"{file.Path}: is as it should be, nothing was changed\n");
        else Write(file, after, keepBackup);
        if (!o.Remove) Tell(o.Write, $"Then: {engine.Next(request, o.User)}\n");
        else if (after != file?.Text) Tell(o.Write, "Then restart the engine's daemon, if it has one\n");
        return ExitCodes.Success;
    }

    private static EngineFile FileOf(Engine engine) => engine switch
    {
        Engine.Podman => new ContainersConf("podman"),
        Engine.Buildah => new ContainersConf("buildah"),
        Engine.Docker => new DockerDaemon(),
        Engine.Containerd => new ContainerdConfig(),
        Engine.Crio => new CrioConf(),
        Engine.Kubernetes => new RuntimeClass(),
        _ => throw new UnreachableException(),
    };

    private static void CheckOptions(SetupOptions o, SetupRequest request)
    {
        string binary = request.Binary;
        if (o.Remove && o.Default) throw new UsageException("--remove and --default contradict each other");
        if (o.Name.Length is 0 or > NameMax || !char.IsAsciiLetterOrDigit(o.Name[0])
            || o.Name.Any(static c => !char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')))
        {
            throw new UsageException($"--name: a name is made of letters, digits, '-', '_' and '.', not \"{o.Name}\"");
        }
        if (o.User && Processes.EffectiveUid() == 0) throw new UsageException("--user: root's engines read the files in /etc");
        if (!binary.StartsWith('/') || binary.Any(char.IsControl))
            throw new UsageException($"--binary: must be an absolute path, not \"{binary}\"");
        if (!o.Write || o.Remove) return;
        if (!IsProgram(binary)) throw new OciException($"--binary: {binary} is not a program");
        if (request.Shim is { } shim && !IsProgram(shim))
            throw new OciException($"--shim: {shim} is not a program; make it: ln -s {Path.GetFileName(binary)} {shim}");
    }

    private static string ShimOf(string binary) => $"{Path.GetDirectoryName(binary)}/{ShimName.Program}";

    /// <summary>Whether it is, to the byte, what setup makes where there is no file: then nobody else has put anything in it.</summary>
    private static bool IsAsWritten(EngineFile engine, string text, SetupRequest request)
    {
        foreach (string? shim in (string?[])[null, ShimOf(request.Binary)])
        {
            foreach ((bool isDefault, bool systemd) in ((bool, bool)[])[(false, false), (true, false), (false, true), (true, true)])
            {
                SetupRequest one = request with { Default = isDefault, SystemdCgroup = systemd, Shim = shim };
                if (engine.With(null, one, []) == text) return true;
            }
        }
        return false;
    }

    private static string? After(EngineFile engine, ConfigurationFile? file, SetupRequest request, bool remove)
    {
        IEnumerable<string> older = file?.OlderTexts() ?? [];
        try
        {
            if (!remove) return engine.With(file?.Text, request, older);
            return file?.Text is { } text ? engine.Without(text, request.Name, older) : null;
        }
        catch (OciException e)
        {
            throw new OciException($"{file?.Path}: {e.Message}; nothing was changed");
        }
    }

    /// <summary>The document alone on standard output, so that it can be compared or put somewhere.</summary>
    private static void Show(ConfigurationFile? file, string? after, bool keepBackup)
    {
        if (file is not null) Output.WriteError(Heading(file, after, keepBackup));
        if (after is not null) Output.Write(after);
    }

    private static string Heading(ConfigurationFile file, string? after, bool keepBackup) => (file.Text, after) switch
    {
        (null, null) => $"{file.Path} is not there; there is nothing to remove.\n",
        (_, null) => $"{file.Path} would be deleted{(keepBackup ? ", but for a backup" : "")}; --write does it.\n",
        _ when file.Text == after => $"{file.Path} is as it should be:\n",
        _ => $"{file.Path} would be as follows; --write makes it so.\n",
    };

    private static void Write(ConfigurationFile file, string? after, bool keepBackup)
    {
        string? backup = after is null ? file.Delete(keepBackup) : file.Replace(after, keepBackup);
        Output.Write($"{file.Path}: {(after is null ? "deleted" : "written")}{(backup is null ? "" : $"; as it was before: {backup}")}\n");
    }

    private static void Tell(bool written, string text)
    {
        if (written) Output.Write(text);
        else Output.WriteError(text);
    }

    /// <summary>This program, by the path that the kernel has for it.</summary>
    private static string OwnPath()
    {
        string? path = Files.ReadLinkAt(Files.AT_FDCWD, "/proc/self/exe", out long error);
        return path ?? throw OciException.FromResult(error, "find out where this program is");
    }

    private static bool IsProgram(string path)
    {
        if (Files.StatAt(Files.AT_FDCWD, path, 0, out Statx stat) < 0 || !stat.IsRegular) return false;
        return (stat.Mode & FileModes.Executable) != 0;
    }

    private static string UserDirectory()
    {
        if (Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is ['/', ..] directory) return directory;
        return Environment.GetEnvironmentVariable("HOME") is ['/', ..] home ? $"{home}/.config"
            : throw new OciException("--user: HOME is not set");
    }
}
