using System.Text.Json.Nodes;
using Mono.Unix.Native;

namespace OciRuntime.Tests.Support;

/// <summary>
/// A small static C program for what busybox cannot do: sd_notify, session keyrings, all signals. The compiler is the one that
/// build.sh installs for ocirun itself.
/// </summary>
public static class Probe
{
    private static readonly Lazy<string> Compiled = new(() => Compile("Support/probe.c"));

    /// <summary>Its path on the host.</summary>
    public static string HostPath => Compiled.Value;

    /// <summary>Puts it into the bundle as /bin/probe and makes it the program.</summary>
    public static TestBundle RunProbe(this TestBundle bundle, params string[] args)
    {
        Libc.Check(Syscall.link(HostPath, bundle.InRootfs("/bin/probe")), "link probe");
        return bundle.Args(["/bin/probe", .. args]);
    }

    /// <summary>Has the container serve a file system (FUSE) that takes a request and never answers it; needs CAP_SYS_ADMIN.</summary>
    /// <param name="bundle">The bundle.</param>
    /// <param name="path">Where it is mounted, in the container.</param>
    /// <param name="request">lookup, open or read.</param>
    public static TestBundle RunStalled(this TestBundle bundle, string path, string request)
    {
        bundle.Linux["devices"] = new JsonArray(new JsonObject { ["path"] = "/dev/fuse", ["type"] = "c", ["major"] = 10, ["minor"] = 229 });
        bundle.Resources["devices"]!.AsArray()
            .Add(new JsonObject { ["allow"] = true, ["type"] = "c", ["major"] = 10, ["minor"] = 229, ["access"] = "rwm" });
        return bundle.RunProbe("stalled", path, request);
    }

    /// <summary>Compiles a program of the tests, without any library that an image would need. Returns its path.</summary>
    /// <param name="name">The source, below src/OciRuntime.Tests.</param>
    /// <param name="machine">What it is for, as clang names it; this one by default.</param>
    public static string Compile(string name, string? machine = null)
    {
        string source = Path.Combine(Ocirun.RepositoryRoot, "src/OciRuntime.Tests", name);
        string target = Path.Combine(TestRun.Root, Path.GetFileNameWithoutExtension(name) + machine);
        string[] options = machine is null ? [] : [$"--target={machine}"];
        Command.Run(Requires.Tool("clang"), [.. options, "-O1", "-static", "-o", target, source]).ShouldSucceed();
        return target;
    }
}
