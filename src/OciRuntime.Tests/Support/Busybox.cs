using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// Root file systems from busybox-static. The binary is copied once per run; each root file system hard-links it under every
/// applet name, which takes a millisecond. Do not write to /bin/* in a test: all bundles share that inode.
/// </summary>
public static class Busybox
{
    private static readonly Lazy<(string Binary, string[] Applets)> Shared = new(Prepare);

    private const UnixFileMode Mode755 = (UnixFileMode)0b111_101_101;
    private const UnixFileMode Mode1777 = UnixFileMode.StickyBit | (UnixFileMode)0b111_111_111;

    /// <summary>The names busybox answers to.</summary>
    public static IReadOnlyList<string> Applets => Shared.Value.Applets;

    /// <summary>Fills an existing or new directory.</summary>
    public static void CreateRootfs(string directory)
    {
        foreach (string path in (string[])["", "bin", "etc", "proc", "sys", "dev", "root", "run", "var", "home", "home/user"])
        {
            string full = Path.Combine(directory, path);
            Directory.CreateDirectory(full);
            File.SetUnixFileMode(full, Mode755);
        }
        string tmp = Path.Combine(directory, "tmp");
        Directory.CreateDirectory(tmp);
        File.SetUnixFileMode(tmp, Mode1777);
        foreach (string applet in Applets.Append("busybox"))
            Libc.Check(Syscall.link(Shared.Value.Binary, Path.Combine(directory, "bin", applet)), $"link {applet}");
        File.WriteAllText(Path.Combine(directory, "etc/passwd"),
            "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n");
        File.WriteAllText(Path.Combine(directory, "etc/group"), "root:x:0:\ntty:x:5:\nuser:x:1000:\n");
    }

    private static (string Binary, string[] Applets) Prepare()
    {
        const string source = "/bin/busybox";
        if (!File.Exists(source))
            throw new FileNotFoundException("tests need /bin/busybox from Debian's busybox-static: run ./build.sh test", source);
        string copy = Path.Combine(TestRun.Root, "busybox");
        File.Copy(source, copy, overwrite: true);
        File.SetUnixFileMode(copy, Mode755);
        string[] applets = [.. Command.Run(copy, "--list")
            .ShouldSucceed().Lines.Where(name => name is not "busybox" && !name.Contains('/'))];
        return (copy, applets);
    }
}
