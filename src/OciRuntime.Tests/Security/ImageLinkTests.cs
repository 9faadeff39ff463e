using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Security;

/// <summary>
/// Images whose directories are links: to the host, to themselves, to each other. Whatever happens, the host stays as it was.
/// </summary>
public sealed class ImageLinkTests
{
    private Canary _canary = null!;

    [SetUp]
    public void SetUp() => _canary = new Canary();

    [TearDown]
    public void CanaryIsUntouched()
    {
        try
        {
            _canary.ShouldBeUntouched();
        }
        finally
        {
            _canary.Dispose();
        }
    }

    private static IEnumerable<TestCaseData> SpecialDirectories()
    {
        foreach (string name in (string[])["proc", "sys"])
        {
            foreach (string kind in (string[])["absolute", "relative", "dot", "two-stage", "dangling", "other"])
                yield return new TestCaseData(name, kind);
        }
    }

    /// <summary>
    /// CVE-2023-27561, CVE-2023-28642, CVE-2025-54867: proc and sysfs only on real directories, or masks and labels miss.
    /// </summary>
    [TestCaseSource(nameof(SpecialDirectories))]
    public void Proc_and_sys_must_be_real_directories(string name, string kind)
    {
        using TestBundle bundle = new();
        PlaceLink(bundle, name, kind);
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, $"/{name}", "must be a real directory, not a symbolic link");
    }

    /// <summary>
    /// CVE-2026-41579, CVE-2026-47766: nodes and links of /dev are made below a descriptor inside the root, also without a /dev mount.
    /// </summary>
    [TestCase("absolute", false)]
    [TestCase("relative", false)]
    [TestCase("two-stage", false)]
    [TestCase("dangling", false)]
    [TestCase("absolute", true)]
    [TestCase("relative", true)]
    public void Dev_is_a_link(string kind, bool mounted)
    {
        using TestBundle bundle = new TestBundle().Writable().Script("stat -c '%F %t:%T' /dev/null");
        foreach (string below in (string[])["/dev/pts", "/dev/shm", "/dev/mqueue"]) bundle.RemoveMount(below);
        if (!mounted) bundle.RemoveMount("/dev");
        PlaceLink(bundle, "dev", kind);
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Lines.Should().Equal("character special file 1:3");
    }

    private static IEnumerable<string> Targets() => ["absolute", "relative", "two-stage", "dangling", "loop", "self", "magic", "many-dots"];

    /// <summary>CVE-2019-18837, CVE-2021-30465 without the race: a destination is looked up by the kernel inside the root.</summary>
    [TestCaseSource(nameof(Targets))]
    public void Mount_destination_is_a_link(string kind)
    {
        using TestBundle bundle = new TestBundle().Writable().Args("true").AddMount("/data/inner/deep", "tmpfs", "tmpfs")
            .AddMount("/data/file", null, "/etc/hostname", "bind");
        PlaceLink(bundle, "data", kind);
        using TestContainer container = new(bundle);
        CommandResult result = container.Run();
        if (kind is "loop" or "self" or "magic")
        {
            result.ShouldFail(1, "/mounts/7", "destination");
        }
        else
        {
            result.ShouldSucceed();
        }
    }

    /// <summary>CVE-2026-55686, an engine's: a working directory that is to be made lies behind a link.</summary>
    [TestCase("absolute")]
    [TestCase("relative")]
    [TestCase("two-stage")]
    [TestCase("dangling")]
    public void Working_directory_is_a_link(string kind)
    {
        using TestBundle bundle = new TestBundle().Writable().Args("pwd", "-P");
        PlaceLink(bundle, "data", kind);
        bundle.Process["cwd"] = "/data/new/deep";
        using TestContainer container = new(bundle);
        container.Run().ShouldSucceed().Text.Should().EndWith("/new/deep");
    }

    /// <summary>A link to the root itself would have the mount cover everything, unseen.</summary>
    [TestCase("/")]
    [TestCase(".")]
    [TestCase("../../..")]
    [TestCase("/etc/..")]
    public void Mount_destination_leads_to_the_root(string target)
    {
        using TestBundle bundle = new TestBundle().AddMount("/data", "tmpfs", "tmpfs");
        File.CreateSymbolicLink(bundle.InRootfs("data"), target);
        using TestContainer container = new(bundle);
        container.Run().ShouldFail(1, "/mounts/7", "destination leads to the container's root");
    }

    /// <summary>500 random forests of links, a few of them per run, each with a mount in it.</summary>
    [Test]
    public void Link_farms()
    {
        Random random = new(18837);
        const int Farms = 500, PerRun = 25;
        int succeeded = 0;
        for (int run = 0; run < Farms / PerRun; run++)
        {
            using TestBundle bundle = new TestBundle().Writable().Args("true");
            string host = TestRun.NewDirectory("farm-source");
            for (int farm = 0; farm < PerRun; farm++)
            {
                string destination = PlantFarm(bundle, random, $"farm{farm}");
                if (random.Next(2) == 0)
                {
                    bundle.AddMount(destination, "tmpfs", "tmpfs", "nosuid");
                }
                else
                {
                    bundle.AddMount(destination, null, host, "rbind");
                }
                // One that cannot be fulfilled ends the run; the others should have their turn, too.
                if (farm % 5 == 4)
                {
                    using TestContainer container = new(bundle);
                    succeeded += container.Run().Succeeded ? 1 : 0;
                    _canary.Changes().Should().BeEmpty("farm {0} of run {1}", farm, run);
                    while (bundle.Mounts.Count > 7) bundle.Mounts.RemoveAt(7);
                }
            }
            // A later mount may make its directories in it: it is a volume of the container.
            Directory.Delete(host, recursive: true);
        }
        succeeded.Should().BePositive("or the farms test nothing");
    }

    /// <summary>
    /// A chain of links to links, to directories, up and down, sometimes in a ring, that the author hopes ends in the canary.
    /// </summary>
    private string PlantFarm(TestBundle bundle, Random random, string name)
    {
        string root = bundle.InRootfs(name);
        Directory.CreateDirectory(root);
        int links = random.Next(1, 50);
        for (int i = 0; i < links; i++)
        {
            string target = random.Next(10) switch
            {
                0 => _canary.Directory,
                1 => string.Concat(Enumerable.Repeat("../", random.Next(1, 30))) + _canary.Directory.TrimStart('/'),
                2 => $"/{name}/d{random.Next(4)}/../l{random.Next(links)}",
                3 => "..",
                4 => $"d{random.Next(4)}",
                _ => random.Next(2) == 0 ? $"l{i + 1}" : $"/{name}/l{i + 1}",
            };
            File.CreateSymbolicLink(Path.Combine(root, $"l{i}"), target);
        }
        for (int i = 0; i < 2; i++) Directory.CreateDirectory(Path.Combine(root, $"d{i}"));
        string tail = random.Next(4) switch { 0 => "", 1 => "/inner", 2 => "/new/deep/er", _ => $"/../l{random.Next(links)}/x" };
        return $"/{name}/l0{tail}";
    }

    private void PlaceLink(TestBundle bundle, string name, string kind)
    {
        string link = bundle.InRootfs(name);
        if (Directory.Exists(link)) Directory.Delete(link);
        string up = string.Concat(Enumerable.Repeat("../", 20));
        switch (kind)
        {
            case "two-stage":
                File.CreateSymbolicLink(bundle.InRootfs("stage"), up + _canary.Directory.TrimStart('/'));
                File.CreateSymbolicLink(link, "/stage");
                break;
            case "loop":
                File.CreateSymbolicLink(bundle.InRootfs("stage"), $"/{name}");
                File.CreateSymbolicLink(link, "/stage");
                break;
            case "other":
                Directory.CreateDirectory(bundle.InRootfs("elsewhere"));
                File.CreateSymbolicLink(link, "/elsewhere");
                break;
            default:
                File.CreateSymbolicLink(link, kind switch
                {
                    "absolute" => _canary.Directory,
                    "relative" => up + _canary.Directory.TrimStart('/'),
                    "dot" => ".",
                    "self" => name,
                    "dangling" => "/no/such/place",
                    "magic" => "/proc/self/root",
                    _ => string.Concat(Enumerable.Repeat("../", 1000)) + _canary.Directory.TrimStart('/'),
                });
                break;
        }
    }
}
