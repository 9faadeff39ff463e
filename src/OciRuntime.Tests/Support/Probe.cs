using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// A small static C program for what busybox cannot do: sd_notify, session keyrings, all signals. The compiler is the one that
/// build.sh installs for ocirun itself.
/// </summary>
public static class Probe
{
    private static readonly Lazy<string> Compiled = new(Compile);

    /// <summary>Its path on the host.</summary>
    public static string HostPath => Compiled.Value;

    /// <summary>Puts it into the bundle as /bin/probe and makes it the program.</summary>
    public static TestBundle RunProbe(this TestBundle bundle, params string[] args)
    {
        Libc.Check(Syscall.link(HostPath, bundle.InRootfs("/bin/probe")), "link probe");
        return bundle.Args(["/bin/probe", .. args]);
    }

    private static string Compile()
    {
        string source = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests/Support/probe.c");
        string target = Path.Combine(TestRun.Root, "probe");
        Command.Run(Requires.Tool("clang"), "-O1", "-static", "-o", target, source).ShouldSucceed();
        return target;
    }
}
