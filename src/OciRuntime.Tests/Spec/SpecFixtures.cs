using System.Runtime.CompilerServices;
using OciRuntime.Spec;

namespace OciRuntime.Tests.Spec;

/// <summary>The files of spec-fixtures/.</summary>
internal static class SpecFixtures
{
    /// <summary>Their names without ".json": "minimal", "sections/root", "clients/docker".</summary>
    public static string[] Valid { get; } = [.. ((string[])["", "sections", "clients"]).SelectMany(Names)];

    /// <summary>
    /// Those that take what a host may lack and the virtual machine has: they run there (<see cref="Vm.VmChecks.AddFixture"/>).
    /// </summary>
    private static readonly string[] InVirtualMachine =
        ["sections/labels-apparmor", "sections/labels-selinux", "sections/resources-hugepages", "sections/resources-network",
        "sections/resources-unified"];

    /// <summary>Those that run here: the others, without those for hardware that is not there.</summary>
    public static IEnumerable<string> OnThisMachine => Valid.Except(InVirtualMachine).Where(name => name switch
    {
        "sections/intel-rdt" => Host.FullMounts.Resctrl() is not null,
        "sections/resources-rdma" => Path.Exists("/sys/class/infiniband/mlx5_1"),
        _ => true,
    });

    /// <summary>Those of them with a process to launch.</summary>
    public static IEnumerable<string> Explainable => OnThisMachine.Where(name => Parse(name).Process is not null);

    public static IEnumerable<string> Invalid => Names("invalid").Select(name => name["invalid/".Length..]);

    public static byte[] Read(string name) => File.ReadAllBytes(PathOf(name + ".json"));

    public static string PathOf(string file) => Path.Combine(Folder(), file);

    public static RuntimeSpec Parse(string name)
    {
        SpecProblems problems = new();
        RuntimeSpec spec = SpecReader.Parse(Read(name), problems);
        NUnit.Framework.Assert.That(problems.ToString(), NUnit.Framework.Is.Empty);
        return spec;
    }

    private static IEnumerable<string> Names(string folder) => Directory.GetFiles(PathOf(folder), "*.json")
        .Select(file => Path.Combine(folder, Path.GetFileNameWithoutExtension(file))).Order(StringComparer.Ordinal);

    private static string Folder([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "../../../spec-fixtures"));
}
