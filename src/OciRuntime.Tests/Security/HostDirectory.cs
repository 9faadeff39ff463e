using Mono.Unix.Native;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>An open directory of the host, with a file in it that no container has.</summary>
internal sealed class HostDirectory : IDisposable
{
    internal const string Marker = "OciRuntime-host-marker";

    internal HostDirectory()
    {
        Directory = TestRun.NewDirectory("host");
        File.WriteAllText(Path.Combine(Directory, Marker), "");
        string program = Path.Combine(Directory, "program");
        File.Copy("/bin/busybox", program);
        Fd = Libc.Check(Syscall.open(Directory, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY | OpenFlags.O_CLOEXEC), Directory);
    }

    internal string Directory { get; }

    internal int Fd { get; }

    public void Dispose()
    {
        _ = Syscall.close(Fd);
        Cleaner.DeleteTree(Directory);
    }
}
