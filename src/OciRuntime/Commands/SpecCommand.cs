using OciRuntime.Cli;
using OciRuntime.Linux;

namespace OciRuntime.Commands;

/// <summary><c>ocirun spec</c>: writes a config.json to begin with, runc's but for the name.</summary>
internal static class SpecCommand
{
    public static int Run(GlobalOptions _, SpecOptions o)
    {
        ReadOnlySpan<byte> text = SpecTemplate.Build(o.Rootless, HostHasOnlyCgroup2(), Processes.EffectiveUid(), Processes.EffectiveGid());
        string path = o.Bundle is { Length: > 0 } bundle ? Path.Combine(bundle, o.File) : o.File;

        // O_EXCL decides, not a look beforehand: an edited file is never lost, also to a link.
        long fd = Files.OpenAt(Files.AT_FDCWD, path, Files.O_WRONLY | Files.O_CREAT | Files.O_EXCL, FileModes.UsersFile);
        if (fd == -Errno.EEXIST) throw new OciException($"File {o.File} exists. Remove it first", Errno.EEXIST);
        OciException.Check(fd, $"create {path}");
        long written = Files.WriteAll((int)fd, text);
        long closed = Files.Close((int)fd);
        if (written >= 0 && closed >= 0) return ExitCodes.Success;

        // Half a file would be in the way of the next attempt.
        Files.UnlinkAt(Files.AT_FDCWD, path);
        throw OciException.FromResult(written < 0 ? written : closed, $"write {path}");
    }

    private static bool HostHasOnlyCgroup2() =>
        Files.StatFs(Host.CgroupHost.Root, out Statfs stat) == 0 && stat.Type == Files.CGROUP2_SUPER_MAGIC;
}
