using OciRuntime.Cli;
using OciRuntime.Launch;
using OciRuntime.Linux;
using OciRuntime.Plan;
using OciRuntime.Spec;

namespace OciRuntime.Shim;

/// <summary>
/// <c>start</c>: makes the shim of a pod or a container, or finds it, and tells containerd where it listens. The socket is made here, so
/// that whoever connects from then on only has to wait.
/// </summary>
internal static class ShimStart
{
    private const int MaxInput = 10 << 20, DialMilliseconds = 100, Backlog = 128;

    /// <summary>The annotations that say which containers share a shim.</summary>
    private static readonly string[] s_groups = ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"];

    /// <returns>What is to be printed, and nothing else.</returns>
    /// <exception cref="OciException">There is no shim.</exception>
    public static byte[] Run(ShimOptions o)
    {
        if (o.Id.Length == 0 || o.Namespace.Length == 0) throw new UsageException("start needs -namespace and -id");
        byte[] input = Files.ReadToEnd(0, MaxInput, out long error) ?? throw OciException.FromResult(error, "read standard input");
        (BootstrapParameters bootstrap, RuntimeSettings settings) = Read(input, o);
        string bundle = SpecLoader.ResolveBundle(null);
        string directory = bootstrap.SocketDirectory.Length > 0 ? bootstrap.SocketDirectory : ShimSocket.DefaultDirectory;
        string path = ShimSocket.PathOf(directory, o.Address, o.Namespace, Group(bundle, o.Id));
        using Fd? listener = ShimSocket.Listen(directory, path, DialMilliseconds, Backlog);
        string address = ShimSocket.Scheme + path;
        BundleFiles.WriteAddress(bundle, address);
        if (listener is not null) Spawn(o, settings, listener, path);
        return bootstrap.Answer(address);
    }

    private static (BootstrapParameters Bootstrap, RuntimeSettings Settings) Read(byte[] input, ShimOptions o)
    {
        try
        {
            BootstrapParameters bootstrap = BootstrapParameters.Read(input, o.Id, o.Namespace);
            return (bootstrap, RuntimeSettings.Read(bootstrap.Options));
        }
        catch (FormatException e)
        {
            throw new OciException($"standard input is no message of containerd's: {e.Message}");
        }
    }

    private static string Group(string bundle, string id)
    {
        byte[]? text = Files.ReadFileAt(Files.AT_FDCWD, $"{bundle}/config.json", SpecReader.MaxBytes, out _);
        if (text is null) return id;
        // What is wrong with it Create will tell.
        SpecMap<string> annotations = SpecReader.Parse(text, new SpecProblems()).Annotations;
        foreach (string key in s_groups) if (annotations[key] is { Length: > 0 } group) return group;
        return id;
    }

    private static void Spawn(ShimOptions o, RuntimeSettings settings, Fd listener, string path)
    {
        try
        {
            ShareCore();
            using Fd none = Fd.Open("/dev/null", Files.O_RDWR, "open /dev/null");
            string program = Environment.GetCommandLineArgs()[0];
            (int pid, Fd pidfd) = HelperProcess.Start(new CompanionProgram
            {
                Path = "/proc/self/exe",
                // The command's own name is what has the program go on from a sealed copy (Native/seal.c).
                Arguments = [program, ShimName.Verb, "-namespace", o.Namespace, "-id", o.Id, "-address", o.Address],
                Channels = [listener.Number],
                Stdio = [none.Number, none.Number, none.Number],
            });
            using Fd shim = pidfd;
            try
            {
                EnterCgroup(settings.ShimCgroup, pid);
                RaiseOomScore(pid);
            }
            catch
            {
                // Its only child, which has served nobody yet.
                Processes.PidFdSendSignal(shim.Number, Processes.SIGKILL);
                throw;
            }
        }
        catch
        {
            // It was made here.
            Files.UnlinkAt(Files.AT_FDCWD, path);
            throw;
        }
    }

    /// <summary>containerd's setting for processors with simultaneous threads: what shares a core trusts each other.</summary>
    private static void ShareCore()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("SCHED_CORE"))) return;
        const int PR_SCHED_CORE = 62, PR_SCHED_CORE_CREATE = 1, PIDTYPE_PGID = 2;
        OciException.Check(Processes.Prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PIDTYPE_PGID), "prctl PR_SCHED_CORE");
    }

    private static void EnterCgroup(string cgroup, int pid)
    {
        if (cgroup.Length == 0) return;
        foreach (Host.CgroupHierarchy hierarchy in Host.CgroupHost.Probe().Hierarchies)
        {
            string directory = $"{hierarchy.MountPoint}/{cgroup.Trim('/')}";
            long made = Files.MakeDirectoryAt(Files.AT_FDCWD, directory, FileModes.PublicDirectory);
            if (made != -Errno.EEXIST) OciException.Check(made, $"ShimCgroup: mkdir {directory}");
            OciException.Check(
                Files.WriteFileAt(Files.AT_FDCWD, $"{directory}/cgroup.procs", Digits.Of(pid)), $"ShimCgroup: enter {directory}");
        }
    }

    /// <summary>The shim is to end before containerd does when memory ends, and after its containers.</summary>
    private static void RaiseOomScore(int pid)
    {
        const int Highest = 1000;
        long parents = Files.ReadNumber($"/proc/{Processes.ParentPid()}/oom_score_adj") ?? 0;
        // An ordinary user may not lower it: then it stays as it is.
        Files.WriteFileAt(Files.AT_FDCWD, $"/proc/{pid}/oom_score_adj", Math.Min(parents + 1, Highest).ToString());
    }
}
