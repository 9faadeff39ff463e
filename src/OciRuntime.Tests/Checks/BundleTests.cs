using System.Text.Json.Nodes;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Spec;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Checks;

/// <summary>`check --bundle` and `run` agree: what the one calls missing the other fails on, with the same words.</summary>
public sealed class BundleTests
{
    /// <param name="Name">What is wrong.</param>
    /// <param name="Pointer">What `check` calls it; "LAST" for the number of the last mount.</param>
    /// <param name="Words">What both say; "" where the kernel's word is not the same.</param>
    /// <param name="Change">Makes it so.</param>
    public sealed record Lack(string Name, string Pointer, string Words, Action<TestBundle> Change)
    {
        public override string ToString() => Name;
    }

    private static readonly Lack[] Lacks =
    [
        new("type of a file system", "/mounts/LAST", "file system type: no such device (ENODEV)",
            static b => b.Writable().AddMount("/mnt", "nosuchfs", "none")),
        new("option of a file system", "/mounts/LAST", "Unknown parameter 'nosuch'",
            static b => b.Writable().AddMount("/mnt", "tmpfs", "none", "nosuch=1")),
        new("value of an option", "/mounts/LAST", "Bad value for 'size'",
            static b => b.Writable().AddMount("/mnt", "tmpfs", "none", "size=x")),
        new("block device", "/mounts/LAST", "no such file or directory (ENOENT)",
            static b => b.Writable().AddMount("/mnt", "ext4", "/dev/nosuch", "ro")),
        new("no block device", "/mounts/LAST", "(ENOTBLK)", static b => b.Writable().AddMount("/mnt", "ext4", "/dev/null", "ro")),
        new("layer of an overlay", "/mounts/LAST", "(ENOENT)",
            static b => b.Writable().AddMount("/mnt", "overlay", "overlay", "lowerdir=/nosuch/layer:/tmp")),
        new("source of a bind", "/mounts/LAST/source", "source: no such file or directory (ENOENT)",
            static b => b.Writable().AddMount("/mnt", "bind", "/nosuch", "bind")),
        new("source through a file", "/mounts/LAST/source", "source: not a directory (ENOTDIR)",
            static b => b.Writable().AddMount("/mnt", "bind", "/etc/passwd/x", "bind")),
        new("file on a directory", "/mounts/LAST", "(ENOTDIR)", static b => b.AddMount("/etc", "bind", "/etc/passwd", "bind")),
        new("directory on a file", "/mounts/LAST", "(ENOTDIR)", static b => b.AddMount("/etc/passwd", "bind", "/tmp", "bind")),
        new("file system on a file", "/mounts/LAST", "(ENOTDIR)", static b => b.AddMount("/etc/passwd", "tmpfs", "tmpfs")),
        new("destination through a file", "/mounts/LAST", "(ENOTDIR)", static b => b.AddMount("/etc/passwd/x", "tmpfs", "tmpfs")),
        new("link to the root", "/mounts/LAST", "destination leads to the container's root", static b =>
        {
            File.CreateSymbolicLink(b.InRootfs("toroot"), "/");
            b.AddMount("/toroot", "tmpfs", "tmpfs");
        }),
        new("working directory", "/process/cwd", "(ENOTDIR)", static b => b.Process["cwd"] = "/etc/passwd"),
        new("device below a file", "/linux/devices/0", "(ENOTDIR)", static b =>
            b.Linux["devices"] = JsonNode.Parse("""[{ "path": "/etc/passwd/null", "type": "c", "major": 1, "minor": 3 }]""")),
        new("sysctl", "/linux/sysctl/net.ipv4.nosuch", "(ENOENT)", static b => Sysctl(b, "net.ipv4.nosuch", "1")),
        new("value of a sysctl", "/linux/sysctl/net.ipv4.ip_forward", "(EINVAL)", static b => Sysctl(b, "net.ipv4.ip_forward", "many")),
        new("clock", "/linux/timeOffsets", "(ERANGE)", static b =>
        {
            b.AddNamespace("time");
            b.Linux["timeOffsets"] = JsonNode.Parse("""{ "monotonic": { "secs": -4000000000, "nanosecs": 0 } }""");
        }),
        new("kind of a namespace", "/linux/namespaces/LASTNS/path", "invalid argument (EINVAL)",
            static b => b.AddNamespace("network", "/proc/self/ns/uts")),
        new("namespace", "/linux/namespaces/LASTNS/path", "no such file or directory (ENOENT)",
            static b => b.AddNamespace("network", "/nosuch")),
        new("network device", "/linux/netDevices/nosuch0", "has no device nosuch0",
            static b => b.Linux["netDevices"] = JsonNode.Parse("""{ "nosuch0": {} }""")),
        new("memory node", "/linux/memoryPolicy", "(EINVAL)",
            static b => b.Linux["memoryPolicy"] = JsonNode.Parse("""{ "mode": "MPOL_BIND", "nodes": "63" }""")),
        new("agent", "/linux/seccomp/listenerPath", "no such file or directory (ENOENT)",
            static b => b.Linux["seccomp"] = JsonNode.Parse("""
            { "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": "/nosuch.sock",
              "syscalls": [{ "names": ["sethostname"], "action": "SCMP_ACT_NOTIFY" }] }
            """)),
        new("CPUs", "/linux/resources/cpu/cpus", "(ERANGE)", static b => b.Resources["cpu"] = JsonNode.Parse("""{ "cpus": "0-1000" }""")),
        new("throttled device", "/linux/resources/blockIO/throttleReadBpsDevice", "there is no such block device",
            static b => b.Resources["blockIO"] = JsonNode.Parse("""
            { "throttleReadBpsDevice": [{ "major": 250, "minor": 77, "rate": 1000000 }] }
            """)),
        new("name of a control file", "config.json", "(ENOTDIR)", static b => b.Linux["cgroupsPath"] = "/cgroup.procs"),
        new("interpreter of a hook", "/hooks/createRuntime/0/path", "", static b => Hook(b, "#!/nosuch/sh\n")),
        new("format of a hook", "/hooks/createRuntime/0/path", "", static b => Hook(b, "echo no\n")),
        new("format of the program", "/process/args/0", "",
            static b => b.WriteFile("/text", "echo no\n", 0b111_101_101).Args("/text")),
    ];

    [SetUp]
    public void SetUp() => Requires.OcirunItself();

    [TestCaseSource(nameof(Lacks))]
    [NeedsMachine]
    public void What_is_missing_fails(Lack lack)
    {
        using TestBundle bundle = new();
        lack.Change(bundle);
        if (lack.Pointer.Contains("blockIO")) Requires.V1Controller("blkio");
        if (lack.Pointer.Contains("cpus")) Requires.V1Controller("cpuset");
        if (lack.Name.Contains("block device")) Requires.FileSystem("ext4");
        if (lack.Name == "memory node") Requires.PathExists("/proc/self/numa_maps", "NUMA");
        string pointer = lack.Pointer.Replace("LASTNS", $"{bundle.Namespaces.Count - 1}").Replace("LAST", $"{bundle.Mounts.Count - 1}");
        using TestContainer container = new(bundle);
        JsonObject[] missing = Missing(container, bundle.Save().Directory);
        JsonObject finding = missing.Should().ContainSingle("{0}", string.Join("\n", missing.Select(static one => one.ToJsonString())))
            .Subject;
        ((string?)finding["name"]).Should().StartWith(pointer);
        if (lack.Words.Length > 0) ((string?)finding["found"]).Should().Contain(lack.Words);
        ((string?)finding["cost"]).Should().NotBeNullOrEmpty();
        ((string?)finding["remedy"]).Should().NotBeNullOrEmpty("{0}", finding.ToJsonString());
        CommandResult run = container.Run();
        run.ExitCode.Should().NotBe(0, "{0}", run);
        if (lack.Words.Length > 0) run.Stderr.Should().Contain(lack.Words);
        // Nothing of it stays, whatever it was.
        container.Delete("--force").ShouldSucceed();
        Directory.Exists($"{container.StateRoot}/{container.Id}").Should().BeFalse();
    }

    /// <summary>What a capability is for, and what the launch says without it.</summary>
    [TestCase("sys_admin", "/linux/namespaces")]
    [TestCase("net_admin", "/linux/namespaces/1")]
    [TestCase("setpcap", "/process/capabilities/bounding")]
    [TestCase("setgid", "/process/user")]
    [TestCase("mknod", "config.json")]
    [NeedsMachine]
    public void What_takes_a_capability_that_is_not_there_is_missing(string capability, string pointer)
    {
        using TestBundle bundle = new TestBundle().Save();
        string[] without =
            [$"--bounding-set=-{capability}", $"--inh-caps=-{capability}", Ocirun.Binary.Path, "--root", $"{bundle.Directory}/state"];
        CommandResult check =
            Command.Run(Requires.Tool("setpriv"), [.. without, "check", "--format", "json", "--bundle", bundle.Directory]);
        JsonObject finding = OfBundle(check)[0];
        ((string?)finding["name"]).Should().Be(pointer, "{0}", finding.ToJsonString());
        ((string?)finding["remedy"]).Should().StartWith($"call it with CAP_{capability.ToUpperInvariant()}");
        Command.Run(Requires.Tool("setpriv"), [.. without, "run", "--bundle", bundle.Directory, "x"]).ExitCode.Should().NotBe(0);
    }

    /// <summary>Engines make no such mistakes, and what the launch makes itself is not missing.</summary>
    [TestCaseSource(typeof(SpecFixtures), nameof(SpecFixtures.OnThisMachine))]
    [NeedsMachine]
    public void What_runs_lacks_nothing(string fixture)
    {
        using FixtureBundle prepared = new(fixture);
        JsonObject[]? missing = null;
        prepared.BeforeCreate = (container, _) => missing = Missing(container, prepared.Bundle.Save().Directory);
        prepared.Created();
        missing.Should().BeEmpty();
    }

    /// <summary>The file system of the image is read-only on the host, and lacks a mount point.</summary>
    [Test]
    [NeedsMachine]
    public void What_cannot_be_made_is_missing([Values("ro", "noexec")] string option)
    {
        using TestBundle bundle = new();
        bundle.AddMount("/nosuch/place", "tmpfs", "tmpfs").Save();
        string mount = $"mount --bind {bundle.Rootfs} {bundle.Rootfs}; mount -o remount,bind,{option} {bundle.Rootfs}; ";
        string root = $"{bundle.Directory}/state";
        CommandResult check = InNewNamespace($"{mount} {Ocirun.Binary.Path} check --format json --bundle {bundle.Directory}");
        JsonObject finding = check.Json["findings"]!.AsArray().Select(static one => one!.AsObject())
            .Single(static one => (string?)one["verdict"] == "missing");
        string words = option == "ro" ? "destination: read-only file system (EROFS)" : "is on a file system that is mounted noexec";
        ((string?)finding["found"]).Should().Contain(words);
        ((string?)finding["name"]).Should().Be(option == "ro" ? $"/mounts/{bundle.Mounts.Count - 1}" : "/process/args/0");
        CommandResult run = InNewNamespace($"{mount} {Ocirun.Binary.Path} --root {root} run --bundle {bundle.Directory} x");
        run.ExitCode.Should().NotBe(0, "{0}", run);
        if (option == "ro") run.Stderr.Should().Contain(words);
    }

    /// <summary>As an ordinary user, on cgroups that are root's.</summary>
    [TestCase("limit", "rootless needs no limits + no cgrouppath")]
    [TestCase("path", "rootless needs no limits + no cgrouppath")]
    [TestCase("device", "no such file or directory (ENOENT)")]
    [TestCase("ext4", "operation not permitted (EPERM)")]
    [TestCase("rootfs", "permission denied (EACCES)")]
    [NeedsMachine]
    public void What_an_ordinary_user_cannot_have_is_missing(string what, string words)
    {
        Requires.UserNamespacesForAll();
        using TestBundle bundle = new();
        bundle.Config = JsonNode.Parse(SpecFixtures.Read("rootless"))!.AsObject();
        bundle.Config["root"]!["path"] = "rootfs";
        bundle.Args("true").Process["terminal"] = false;
        foreach (string kind in (string[])["uidMappings", "gidMappings"])
            bundle.Linux[kind] = JsonNode.Parse("""[{ "containerID": 0, "hostID": 54321, "size": 1 }]""");
        string state = $"{bundle.Directory}/state";
        Command.Run("chown", "-R", "54321:54321", bundle.Directory).ShouldSucceed();
        string[] user = ["--reuid", "54321", "--regid", "54321", "--clear-groups", Ocirun.Binary.Path, "--root", state];
        JsonObject[] before = Check();
        before.Should().BeEmpty();
        switch (what)
        {
            case "limit": bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 100 }"""); break;
            case "path": bundle.Linux["cgroupsPath"] = "/nosuch"; break;
            case "device":
                bundle.Linux["devices"] = JsonNode.Parse("""[{ "path": "/dev/nosuch", "type": "c", "major": 1, "minor": 3 }]""");
                break;
            case "ext4": bundle.AddMount("/mnt", "ext4", "/dev/null"); break;
            default: Command.Run("sh", "-ec", $"chown 0:0 {bundle.Rootfs}; chmod 700 {bundle.Rootfs}").ShouldSucceed(); break;
        }
        JsonObject finding = Check().Should().ContainSingle().Subject;
        ((string?)finding["found"]).Should().Contain(words);
        CommandResult run = Command.Run(Requires.Tool("setpriv"), [.. user, "run", "--bundle", bundle.Directory, "x"]);
        run.ExitCode.Should().NotBe(0, "{0}", run);
        run.Stderr.Should().Contain(words);

        JsonObject[] Check()
        {
            bundle.Save();
            return OfBundle(Command.Run(Requires.Tool("setpriv"), [.. user, "check", "--format", "json", "--bundle", bundle.Directory]));
        }
    }

    /// <summary>Nobody serves the source: the check ends, and says where.</summary>
    [Test]
    [NeedsMachine]
    public void A_file_system_that_does_not_answer_is_told()
    {
        Requires.FileSystem("fuse");
        using TestBundle bundle = new();
        string place = $"{bundle.Directory}/fuse";
        Directory.CreateDirectory(place);
        bundle.AddMount("/dev/data", "bind", $"{place}/x", "bind").Save();
        // A connection that nobody reads from.
        CommandResult check = InNewNamespace($"""
            exec 9<>/dev/fuse
            mount -i -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 none {place}
            {Ocirun.Binary.Path} check --format json --bundle {bundle.Directory} 9<&-
            """);
        JsonObject finding = OfBundle(check).Should().ContainSingle().Subject;
        ((string?)finding["found"]).Should().Contain("has not answered");
        ((string?)finding["name"]).Should().Be($"/mounts/{bundle.Mounts.Count - 1}");
        check.Duration.Should().BeLessThan(TimeSpan.FromSeconds(30));
    }

    /// <summary>The terminal is the affair of who calls `create`.</summary>
    [Test]
    [NeedsMachine]
    public void What_spec_writes_lacks_nothing()
    {
        using TestBundle bundle = new();
        Command.Run("sh", "-ec", $"cd {bundle.Directory}; {Ocirun.Binary.Path} spec").ShouldSucceed();
        OfBundle(Ocirun.Run("check", "--format", "json", "--bundle", bundle.Directory).ShouldSucceed()).Should().BeEmpty();
    }

    /// <summary>What is tried leaves nothing: no cgroup, no mount, no file in the image.</summary>
    [Test]
    [NeedsMachine]
    public void Nothing_is_left_of_what_is_tried()
    {
        using TestBundle bundle = new();
        bundle.Writable().WithCgroup().AddMount("/made/by/run", "tmpfs", "tmpfs").AddMount("/made/file", "bind", "/etc/passwd", "bind");
        bundle.Resources["pids"] = JsonNode.Parse("""{ "limit": 100 }""");
        Sysctl(bundle, "net.ipv4.ip_forward", "1");
        string forward = File.ReadAllText("/proc/sys/net/ipv4/ip_forward"), name = File.ReadAllText("/proc/sys/kernel/hostname");
        using TestContainer container = new(bundle);
        Missing(container, bundle.Save().Directory).Should().BeEmpty();
        Directory.Exists(bundle.InRootfs("made")).Should().BeFalse();
        EnumerationOptions deep = new() { RecurseSubdirectories = true, MaxRecursionDepth = 3 };
        Directory.GetDirectories("/sys/fs/cgroup", "ocirun-check-*", deep).Should().BeEmpty();
        File.ReadAllText("/proc/sys/net/ipv4/ip_forward").Should().Be(forward);
        File.ReadAllText("/proc/sys/kernel/hostname").Should().Be(name);
        File.ReadAllText("/proc/self/mountinfo").Should().NotContain(bundle.Directory);
    }

    private static void Sysctl(TestBundle bundle, string key, string value) => bundle.Linux["sysctl"] = new JsonObject { [key] = value };

    private static void Hook(TestBundle bundle, string content)
    {
        string path = $"{bundle.Directory}/hook";
        File.WriteAllText(path, content);
        File.SetUnixFileMode(path, (UnixFileMode)0b111_101_101);
        bundle.AddHook("createRuntime", path);
    }

    private static CommandResult InNewNamespace(string script) =>
        Command.Run("unshare", "--mount", "--propagation", "private", "sh", "-ec", script);

    private static JsonObject[] Missing(TestContainer container, string bundle) =>
        OfBundle(container.Call("check", "--format", "json", "--bundle", bundle));

    private static JsonObject[] OfBundle(CommandResult check) => [.. check.Json["findings"]!.AsArray().Select(static one => one!.AsObject())
        .Where(static one => ((string)one["topic"]!).StartsWith("bundle") && (string?)one["verdict"] == "missing")];
}
