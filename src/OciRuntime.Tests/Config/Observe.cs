using FluentAssertions;
using OciRuntime.Cgroups;
using OciRuntime.Linux;
using OciRuntime.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>The two ways to ask the kernel: from inside by a script, from outside about a container that sleeps.</summary>
internal static class Observe
{
    /// <summary>
    /// Runs a script in the container to its successful end; its lines. Stderr must stay empty: a warning on success is a bug, too.
    /// </summary>
    public static string[] Run(TestBundle bundle, string script, params string[] options)
    {
        using TestContainer container = new(bundle.Script(script));
        CommandResult result = container.Run(options).ShouldSucceed();
        result.Stderr.Should().BeEmpty();
        return result.Lines;
    }

    /// <summary>A started container that does nothing.</summary>
    public static TestContainer Sleeping(TestBundle bundle, params string[] createOptions) =>
        new TestContainer(bundle.Args("sleep", "1000")).Started(createOptions);

    /// <summary>Fails to create, leaves nothing, and gives the one line of stderr.</summary>
    public static string Refused(TestBundle bundle, RuntimeBinary? runtime = null)
    {
        using TestContainer container = new(bundle, runtime);
        CommandResult result = container.Create().ShouldFail(1);
        result.Stdout.Should().BeEmpty();
        result.Stderr.TrimEnd('\n').Should().NotContain("\n", "one failure is one line");
        Directory.GetFileSystemEntries(container.StateRoot).Should().BeEmpty("{0}", result);
        return result.Stderr.Replace("\\\"", "\"");
    }

    /// <summary>Names of the device programs that are attached to a v2 cgroup itself.</summary>
    public static string[] Programs(string cgroup)
    {
        using Fd directory = Fd.Open(cgroup, Files.O_RDONLY, cgroup);
        uint[] ids = new uint[64];
        int count = (int)OciException.Check(Bpf.QueryDevices(directory.Number, ids), "query");
        return Array.ConvertAll(ids[..count], static id =>
        {
            using Fd program = Fd.Of(Bpf.OpenProgram(id), "open a program");
            return Bpf.Name(program.Number, out _)!;
        });
    }

    /// <summary>Attaches one that allows everything, as a device plugin might.</summary>
    public static void AttachProgram(string cgroup, string name)
    {
        using Fd directory = Fd.Open(cgroup, Files.O_RDONLY, cgroup);
        DeviceFilter all = DeviceFilter.Build([new DeviceRule { Allow = true }]);
        DeviceProgram.Attach(directory.Number, all, name).Should().Be(0);
    }

    /// <summary>stat(1) of a path of the container, seen from inside.</summary>
    public static string Stat(string format, params string[] paths) => $"stat -c '{format}' {string.Join(' ', paths)}";
}
