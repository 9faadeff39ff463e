using System.Diagnostics;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.State;

namespace OciRuntime.Tests.State;

/// <summary>A state root of its own for one test, and the processes the test starts; all gone when it ends.</summary>
internal sealed class TemporaryRoot : IDisposable
{
    private readonly List<Process> _processes = [];

    public TemporaryRoot()
    {
        Base = Path.Combine(Path.GetTempPath(), "ocirun-state-" + Guid.NewGuid().ToString("N"));
        Directory.CreateDirectory(Base);
        Store = new ContainerStore(StateRoot.Resolve(Root));
    }

    public string Base { get; }

    public string Root => Path.Combine(Base, "root");

    public ContainerStore Store { get; }

    public string FileOf(string id, string name) => Path.Combine(Root, id, name);

    /// <summary>Claims an ID that is expected to be free, or to hold nothing to undo.</summary>
    public ContainerEntry Claim(string id) => Store.Claim(id, "create", (_, _) => Assert.Fail("nothing was expected to be undone"));

    /// <summary>A finished create: the journal says "created", the lock is free.</summary>
    public ContainerState Create(string id, Action<ContainerState>? change = null)
    {
        using ContainerEntry entry = Claim(id);
        ContainerState state = NewState(id);
        change?.Invoke(state);
        entry.WriteState(state);
        return state;
    }

    public static ContainerState NewState(string id) => new()
    {
        Id = id,
        Phase = ContainerPhase.Created,
        Created = "2026-01-02T03:04:05.678Z",
        Bundle = "/bundles/" + id,
        Rootfs = "/bundles/" + id + "/rootfs",
        PrivatePidNamespace = true,
        Creator = new ProcessIdentity(1, 1),
    };

    public void TouchStartSocket(string id) => File.WriteAllText(FileOf(id, ContainerEntry.StartSocketName), "");

    /// <summary>A process that does nothing for a long time.</summary>
    public Process Sleeper() => Start("sleep", "1000");

    public Process Start(string program, params string[] arguments)
    {
        Process process = Support.Children.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true });
        _processes.Add(process);
        return process;
    }

    public static ProcessIdentity IdentityOf(Process process) =>
        ProcessIdentity.Of(process.Id) ?? throw new InvalidOperationException("process is gone");

    /// <summary>The permission bits of a path.</summary>
    public static int ModeOf(string path)
    {
        OciException.Check(Files.StatAt(Files.AT_FDCWD, path, Files.AT_SYMLINK_NOFOLLOW, out Statx stat), path);
        return stat.Mode & ~Files.S_IFMT;
    }

    public void Dispose()
    {
        foreach (Process process in _processes)
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
            process.WaitForExit();
            process.Dispose();
        }
        Directory.Delete(Base, recursive: true);
    }
}
