using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>A container that faults are tried on again and again, under one id and in one cgroup, and what may be left of it.</summary>
internal sealed class FaultContainer : IDisposable
{
    internal FaultContainer()
    {
        Bundle = new TestBundle().Args("echo", "golden").WithCgroup();
        // A pause that a kill can fall into, a pid file, and hooks with their processes: more that could be left.
        Bundle.AddHook("createRuntime", "/bin/true");
        Bundle.Save();
        StateRoot = TestRun.NewDirectory("state");
        PidDirectory = TestRun.NewDirectory("pidfiles");
        Id = $"{TestRun.Token}-{TestRun.NextNumber()}";
    }

    internal TestBundle Bundle { get; }

    internal string Id { get; }

    internal string StateRoot { get; }

    internal string PidDirectory { get; }

    internal string[] Command(params string[] verb) => [Ocirun.Binary.Path, "--root", StateRoot, .. verb];

    internal string[] Create => Command("create", "--bundle", Bundle.Directory, "--pid-file", Path.Combine(PidDirectory, "pid"), Id);

    internal string[] RunToEnd => Command("run", "--bundle", Bundle.Directory, "--pid-file", Path.Combine(PidDirectory, "pid"), Id);

    internal CommandResult Call(params string[] verb) => Ocirun.Run(["--root", StateRoot, .. verb]);

    internal CommandResult CallCreate() => Ocirun.Run(Create[1..], new CommandOptions());

    internal CommandResult DeleteByForce() => Call("delete", "--force", Id);

    /// <summary>What is there now that should not be: state, cgroups, files, processes of the runtime.</summary>
    internal List<string> Left(bool pidFile = true)
    {
        List<string> left = [.. Directory.GetFileSystemEntries(StateRoot).Select(path => $"state {Path.GetFileName(path)} [{string.Join(' ', Directory.Exists(path) ? Directory.GetFileSystemEntries(path).Select(Path.GetFileName) : [])}]")];
        string cgroup = Bundle.CgroupsPath!;
        left.AddRange(CgroupHost.Mounts.Select(mount => mount.MountPoint + cgroup).Where(Directory.Exists).Select(path => $"cgroup {path}"));
        // The pid file itself is the caller's, as with every other runtime.
        left.AddRange(Directory.GetFileSystemEntries(PidDirectory).Where(path => pidFile && Path.GetFileName(path) != "pid").Select(path => $"file {path}"));
        left.AddRange(Inits().Select(pid => $"process {pid} {ProcessTree.CommandLine(pid)}"));
        return left;
    }

    /// <summary>Processes below the tests that are the runtime, in a container or not.</summary>
    internal IEnumerable<int> Inits() =>
        ProcessTree.DescendantsOf(Environment.ProcessId).Where(pid => ProcessTree.CommandLine(pid).Contains(Id, StringComparison.Ordinal));

    /// <summary>Waits a moment for what is dying; what is left after it stays.</summary>
    internal List<string> LeftInTheEnd()
    {
        List<string> left = [];
        Eventually.Becomes(() => (left = Left()).Count == 0, TimeSpan.FromSeconds(2));
        return left;
    }

    internal void ForgetPidFile() => File.Delete(Path.Combine(PidDirectory, "pid"));

    public void Dispose()
    {
        CommandResult deleted = DeleteByForce();
        if (!deleted.Succeeded)
        {
            Leaks.Report($"{deleted}");
        }
        LeftInTheEnd().ForEach(Leaks.Report);
        Bundle.Dispose();
        Cleaner.DeleteTree(StateRoot);
        Cleaner.DeleteTree(PidDirectory);
    }
}
