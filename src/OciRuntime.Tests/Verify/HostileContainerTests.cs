using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FluentAssertions;
using Mono.Unix.Native;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Verify;

/// <summary>Who looks into a container neither waits for it nor runs out of memory, whatever it does.</summary>
[MeasuresTime]
public sealed class HostileContainerTests
{
    private static readonly CommandOptions Soon = new() { Timeout = TimeSpan.FromSeconds(15) };

    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    /// <summary>
    /// It is locked while an event goes into the memory of whoever waits; fdinfo waits for that lock, and cannot be killed.
    /// </summary>
    [Test]
    public void An_epoll_whose_events_never_arrive_is_not_asked()
    {
        using TestBundle bundle = Stalled("read");
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("mounted");
        container.StartExec([], "/bin/probe", "epoll", "/tmp/passwd");
        container.WaitOutput("stalled");
        Verified.One(Verify(container), "descriptors").Should().Be(("held", ""));
    }

    /// <summary>The directory above the source is the container's own: it is bound, too.</summary>
    [Test]
    public void A_source_that_leads_into_the_container_is_not_followed()
    {
        using TestBundle bundle = Stalled("lookup");
        string source = Source(bundle);
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("mounted");
        Lead(source, $"/proc/{container.InitPid}/root/tmp/x");
        Verified.One(Verify(container), "/mounts/7").Should().Be(("unchecked", $"{source}: it leads over a link of the kernel's"));
        container.Output.Should().Be("mounted\n", "nobody was asked");
    }

    [Test]
    public void A_source_whose_server_does_not_answer_is_not_looked_up()
    {
        Requires.PathExists("/dev/fuse", "FUSE");
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        string source = Source(bundle), served = Directory.CreateDirectory(Path.Combine(bundle.Directory, "served")).FullName;
        using TestContainer container = new TestContainer(bundle).Started();
        using RunningCommand holder = Command.Start(Requires.Tool("unshare"), "--mount", "--propagation", "private", Probe.HostPath,
            "stalled", served, "lookup");
        Eventually.True(() => holder.Stdout == "mounted\n", "the file system is mounted");
        Lead(source, $"{served}/x");
        RuntimeBinary there = Ocirun.Binary with { Launcher = [Requires.Tool("nsenter"), $"--mount=/proc/{holder.Pid}/ns/mnt"] };
        CommandResult report = there.Run(["--root", container.StateRoot, "verify", "--format", "json", container.Id], Soon);
        Verified.One(report, "/mounts/7").Should()
            .Be(("unchecked", $"{source}: a program or another machine serves {served} (fuse)"));
        holder.Stdout.Should().Be("mounted\n", "nobody was asked");
    }

    /// <summary>The path of a namespace that was joined leads elsewhere by now.</summary>
    [Test]
    public void A_namespace_whose_server_does_not_answer_is_not_looked_up()
    {
        Requires.PathExists("/dev/fuse", "FUSE");
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup();
        string link = Path.Combine(bundle.Directory, "link"), served = Path.Combine(bundle.Directory, "served");
        Directory.CreateDirectory(served);
        using RunningCommand other = Command.Start(Requires.Tool("unshare"), "--net", "sleep", "1000");
        File.CreateSymbolicLink(link, $"/proc/{other.Pid}/ns/net");
        Eventually.True(() => new FileInfo(link).LinkTarget is { } its && new FileInfo(its).LinkTarget is { Length: > 0 } network
            && network != new FileInfo("/proc/self/ns/net").LinkTarget, "a network of its own");
        using TestContainer container = new TestContainer(bundle.AddNamespace("network", link)).Started();
        using RunningCommand holder = Command.Start(Requires.Tool("unshare"), "--mount", "--propagation", "private", Probe.HostPath,
            "stalled", served, "lookup");
        Eventually.True(() => holder.Stdout == "mounted\n", "the file system is mounted");
        File.Delete(link);
        File.CreateSymbolicLink(link, $"{served}/x");
        RuntimeBinary there = Ocirun.Binary with { Launcher = [Requires.Tool("nsenter"), $"--mount=/proc/{holder.Pid}/ns/mnt"] };
        CommandResult report = there.Run(["--root", container.StateRoot, "verify", "--format", "json", container.Id], Soon);
        string pointer = $"/linux/namespaces/{bundle.Namespaces.Count - 1}";
        Verified.About(report, pointer).Select(static one => (string?)one["found"]).Should()
            .Contain($"{link}: a program or another machine serves {served} (fuse)");
        holder.Stdout.Should().Be("mounted\n", "nobody was asked");
    }

    /// <summary>Names as long as can be: the heap has 96 MiB.</summary>
    [Test]
    public void Neither_a_full_directory_nor_many_descriptors_take_time_or_memory()
    {
        const int MaxKibibytes = 64 * 1024;
        using TestBundle bundle = new TestBundle().RunProbe("hoard", "5000").WithCgroup();
        bundle.Process["rlimits"] = JsonNode.Parse("""[{ "type": "RLIMIT_NOFILE", "hard": 6000, "soft": 6000 }]""");
        using TestContainer container = new TestContainer(bundle).Started();
        container.WaitOutput("hoarded");
        string file = container.Init.InRoot("/dev/file");
        File.WriteAllText(file, "");
        for (int i = 0; i < 100_000; i++) Libc.Check(Syscall.link(file, $"{file}-{new string('n', 240)}{i}"), "link");
        CommandResult report = new RuntimeBinary(Ocirun.Binary.Path) { Launcher = [Probe.HostPath, "peak"] }
            .Run(["--root", container.StateRoot, "verify", "--format", "json", container.Id], Soon);
        Verified.One(report, "/linux/devices").Should().Be(("held", ""));
        Verified.One(report, "descriptors").Should().Be(("unchecked", "it has more than 4096 descriptors"));
        Match peak = Regex.Match(report.Stderr, @"^peak (\d+)$", RegexOptions.Multiline);
        long.Parse(peak.Groups[1].Value, CultureInfo.InvariantCulture).Should().BeLessThan(MaxKibibytes, "{0}", report.Stderr);
    }

    [Test]
    public void A_mount_table_that_is_too_long_is_not_read()
    {
        using TestBundle bundle = new TestBundle().Args("sleep", "1000").WithCgroup().Capabilities("CAP_SYS_ADMIN");
        using TestContainer container = new TestContainer(bundle).Started();
        container.Exec("sh", "-ec", """
            path=/dev/shm name=$(printf %0250d 0)
            for i in $(seq 14); do path=$path/$name; done
            mkdir -p $path
            for i in $(seq 1300); do mount -t tmpfs none $path; done
            """).ShouldSucceed();
        const string Why = "the mount table has more than 4 MiB, which is more than is read of it";
        CommandResult report = Verify(container);
        foreach (string pointer in (string[])["/mounts/3", "/linux/maskedPaths/3", "/linux/readonlyPaths/3", "/linux/devices"])
            Verified.One(report, pointer).Should().Be(("unchecked", Why));
        Verified.About(report, "namespaces").Should().OnlyContain(static one => (string?)one["outcome"] == "held");
    }

    private static TestBundle Stalled(string request)
    {
        Requires.PathExists("/dev/fuse", "FUSE");
        return new TestBundle().RunStalled("/tmp", request).Capabilities("CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE").WithCgroup();
    }

    private static string Source(TestBundle bundle)
    {
        string source = Directory.CreateDirectory(Path.Combine(bundle.Directory, "data")).FullName;
        bundle.AddMount("/data", "bind", source, "rbind");
        return source;
    }

    private static void Lead(string source, string elsewhere)
    {
        Directory.Move(source, $"{source}-before");
        File.CreateSymbolicLink(source, elsewhere);
    }

    private static CommandResult Verify(TestContainer container) => container.Call(["verify", "--format", "json", container.Id], Soon);
}
