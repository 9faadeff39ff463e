using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Faults;

/// <summary>A container that faults are tried on again and again, under one id and in one cgroup, and what may be left of it.</summary>
internal sealed class FaultContainer : IDisposable
{
    private readonly string _root;

    /// <param name="bundle">Of the container.</param>
    /// <param name="space">The shim's state of it is in a directory of this name.</param>
    internal FaultContainer(TestBundle? bundle = null, string space = "")
    {
        Bundle = bundle ?? new TestBundle().Args("echo", "golden").WithCgroup();
        // A pause that a kill can fall into, a pid file, and hooks with their processes: more that could be left.
        Bundle.AddHook("createRuntime", "/bin/true");
        Bundle.Save();
        _root = TestRun.NewDirectory("state");
        StateRoot = Path.Combine(_root, space);
        Directory.CreateDirectory(StateRoot);
        PidDirectory = TestRun.NewDirectory("pidfiles");
        // A shim's bundle is named after its container.
        Id = space.Length > 0 ? Path.GetFileName(Bundle.Directory) : $"{TestRun.Token}-{TestRun.NextNumber()}";
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

    /// <summary>The journal says that all was set up: then the container is one, and stays one when its program has ended.</summary>
    internal bool IsComplete =>
        ProcessTree.ReadOrEmpty(Path.Combine(StateRoot, Id, "state.json")).Contains("\"phase\":\"created\"", StringComparison.Ordinal);

    /// <summary>What <see cref="Broken"/> begins with where there is no answer.</summary>
    internal const string Unverified = "broken: cannot be verified";

    /// <summary>What `ocirun verify` finds that is not as promised, a line each.</summary>
    internal string Broken()
    {
        CommandResult verify = Call("verify", "--format", "json", Id);
        // 1 when something is broken, 2 when it cannot be told.
        if (verify.ExitCode > 1) return $"{Unverified}: {verify}";
        return string.Join('\n', verify.Json["findings"]!.AsArray().Where(static one => (string)one!["outcome"]! is "broken" or "drifted")
            .Select(static one => $"{one!["outcome"]}: {one["pointer"]} {one["promise"]}: {one["found"]}"));
    }

    internal CommandResult DeleteByForce() => Call("delete", "--force", Id);

    /// <summary>What is there now that should not be: state, cgroups, files, processes of the runtime.</summary>
    internal List<string> Left()
    {
        List<string> left = [.. Directory.GetFileSystemEntries(StateRoot)
            .Select(static path => $"state {Path.GetFileName(path)} [{string.Join(' ', EntriesOf(path).Select(Path.GetFileName))}]")];
        string cgroup = Bundle.CgroupsPath!;
        left.AddRange(CgroupHost.Mounts.Select(mount => mount.MountPoint + cgroup).Where(Directory.Exists)
            .Select(path => $"cgroup {path}"));
        // The pid file itself is the caller's, as with every other runtime.
        left.AddRange(Directory.GetFileSystemEntries(PidDirectory).Where(static path => Path.GetFileName(path) != "pid")
            .Select(path => $"file {path}"));
        left.AddRange(Inits().Select(pid => $"process {pid} {ProcessTree.CommandLine(pid)}"));
        return left;
    }

    private static string[] EntriesOf(string path) => Directory.Exists(path) ? Directory.GetFileSystemEntries(path) : [];

    /// <summary>Processes below the tests that are the runtime, in a container or not.</summary>
    internal IEnumerable<int> Inits() => !Id.StartsWith(TestRun.Token, StringComparison.Ordinal) ? []
        : ProcessTree.DescendantsOf(Environment.ProcessId)
            .Where(pid => ProcessTree.CommandLine(pid).Contains(Id, StringComparison.Ordinal));

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
        if (!deleted.Succeeded) Leaks.Report($"{deleted}");
        LeftInTheEnd().ForEach(Leaks.Report);
        Bundle.Dispose();
        Cleaner.DeleteTree(_root);
        Cleaner.DeleteTree(PidDirectory);
    }
}
