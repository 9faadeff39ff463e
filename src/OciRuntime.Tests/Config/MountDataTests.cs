using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Config;

/// <summary>
/// Options of file systems as mount(2) takes them: longer than fsconfig(2) allows, more of them than fit into a page, with characters that
/// have a meaning of their own.
/// </summary>
[LeavesNothing]
public sealed class MountDataTests
{
    private TestBundle _bundle = null!;
    private string _layers = null!;

    [SetUp]
    public void Begin()
    {
        _bundle = new TestBundle();
        _layers = Directory.CreateDirectory(Path.Combine(_bundle.Directory, "layers")).FullName;
    }

    [TearDown]
    public void End() => _bundle.Dispose();

    /// <summary>Below 256 bytes fsconfig(2) does it, below a page mount(2), and above it descriptors: the three must not differ.</summary>
    [TestCase(2, 5, TestName = "Overlay_with_a_short_lowerdir")]
    [TestCase(8, 80, TestName = "Overlay_with_a_lowerdir_of_less_than_a_page")]
    [TestCase(120, 80, TestName = "Overlay_with_a_lowerdir_of_more_than_a_page")]
    [TestCase(500, 60, TestName = "Overlay_with_as_many_layers_as_there_can_be")]
    public void Overlay(int count, int length)
    {
        AddOverlay([.. Enumerable.Range(0, count).Select(i => Layer($"{i}-{new string('x', length)}", $"f{i}"))], Layer("upper"),
            Layer("work"));
        Observe.Run(_bundle, "ls /o | wc -l; echo new >/o/new; rm /o/f1; ls /o | wc -l; pwd").Should().Equal($"{count}", $"{count}", "/");
        File.ReadAllText(Path.Combine(_layers, "upper/new")).Should().Be("new\n");
        File.Exists(Path.Combine(_layers, "upper/f1")).Should().BeTrue("a whiteout is what an overlay makes of a removal");
    }

    [TestCase("a:b")]
    [TestCase("c,d")]
    [TestCase("e f")]
    [TestCase("g=h")]
    [TestCase("i\\j")]
    [TestCase("k\"l")]
    [TestCase("\"m\"")]
    [TestCase("\"n,o\"")]
    public void A_character_with_a_meaning_in_a_short_path(string name)
    {
        AddOverlay([Layer(name, "f"), Layer("plain", "g")], Layer($"u{name}"), Layer($"w{name}"));
        Observe.Run(_bundle, "ls /o; echo new >/o/new").Should().Equal("f", "g");
        File.Exists(Path.Combine(_layers, $"u{name}/new")).Should().BeTrue();
    }

    [TestCase(1)]
    [TestCase(5000)]
    public void Characters_with_a_meaning(int padding)
    {
        string[] odd = ["a:b", "c,d", "e f", "g=h", "i\\j", "k\"l", "m'n", "ö", "\"p\"", "\"q,r\""];
        List<string> lower = [.. odd.Select((name, i) => Layer($"lower {name}", $"f{i}"))];
        for (int length = 0; length < padding; length += 100) lower.Add(Layer($"padding-{length}-{new string('x', 80)}"));
        AddOverlay([.. lower], Layer("upper a:b,c"), Layer("work a:b,c"));
        Observe.Run(_bundle, "ls /o | wc -l; echo new >/o/new").Should().Equal($"{odd.Length}");
        File.Exists(Path.Combine(_layers, "upper a:b,c/new")).Should().BeTrue();
    }

    /// <summary>As the sources of binds are, wherever the caller is: an engine's own directory says nothing.</summary>
    [Test]
    public void Relative_directories_are_the_bundles([Values(5, 300, 5000)] int length)
    {
        List<string> lower = [Layer("a", "f"), Layer("b:c,d", "g")];
        for (int padding = 0; padding < length; padding += 100) lower.Add(Layer($"padding-{padding}-{new string('x', 80)}"));
        lower = lower.ConvertAll(path => Path.GetRelativePath(_bundle.Directory, path));
        AddOverlay([.. lower, Layer("absolute", "h")], Path.GetRelativePath(_bundle.Directory, Layer("upper")),
            Path.GetRelativePath(_bundle.Directory, Layer("work")));
        _bundle.Script("ls /o; echo new >/o/new");
        using TestContainer container = new(_bundle) { Options = new CommandOptions { WorkingDirectory = "/" } };
        container.Run().ShouldSucceed().Lines.Should().Equal("f", "g", "h");
        File.Exists(Path.Combine(_layers, "upper/new")).Should().BeTrue();
    }

    [Test]
    public void An_overlay_by_mount2_has_the_attributes_that_are_asked_for([Values(3, 90)] int count)
    {
        string[] lower = [.. Enumerable.Range(0, count).Select(i => Layer($"{i}-{new string('x', 100)}"))];
        AddOverlay(lower, Layer("upper"), Layer("work"), "nosuid", "nodev", "noexec", "noatime", "shared");
        AddOverlay(lower, Layer("upper2"), Layer("work2"), "ro");
        using TestContainer container = Observe.Sleeping(_bundle);
        MountInfo first = container.Init.Mounts.First(mount => mount.MountPoint == "/o");
        first.Options.Should().BeEquivalentTo("rw", "nosuid", "nodev", "noexec", "noatime");
        (first.PropagationType, first.Source).Should().Be(("shared", "overlay"));
        container.Init.Mounts.Last(mount => mount.MountPoint == "/o").Options.Should().BeEquivalentTo("ro", "relatime");
    }

    [Test]
    public void In_a_user_namespace([Values(3, 90)] int count)
    {
        LiveMount.Own(_bundle.WithUserNamespace());
        AddOverlay([.. Enumerable.Range(0, count).Select(i => Layer($"{i}-{new string('x', 100)}", $"f{i}"))], Layer("upper"),
            Layer("work"), "userxattr");
        Command.Run("chown", "-R", "100000:100000", _layers).ShouldSucceed();
        Observe.Run(_bundle, "ls /o | wc -l; touch /o/new && echo written").Should().Equal($"{count}", "written");
    }

    /// <summary>
    /// The mount is made in a mount namespace of its own: nothing of it is seen on a host whose mounts are shared with the container.
    /// </summary>
    [Test]
    public void With_shared_mounts()
    {
        string seen = Path.Combine(_bundle.Directory, "seen");
        string script = Path.Combine(_bundle.Directory, "shared");
        File.WriteAllText(script,
            $"#!/bin/sh\nexec unshare --mount --propagation private sh -c 'mount --make-rshared / && \"$@\"; status=$?; grep overlay "
            + $"/proc/self/mountinfo >>{seen}; exit $status' -- {Ocirun.Binary.Path} \"$@\"\n");
        File.SetUnixFileMode(script, UnixFileMode.UserRead | UnixFileMode.UserExecute);
        _bundle.Linux["rootfsPropagation"] = "shared";
        AddOverlay([.. Enumerable.Range(0, 5).Select(i => Layer($"{i}-{new string('x', 100)}", $"f{i}"))], null, null);
        using (TestContainer container = new(_bundle.Script("ls /o | wc -l; cat /proc/self/comm"), new RuntimeBinary(script)))
            container.Run().ShouldSucceed().Lines.Should().Equal("5", "cat");
        File.ReadAllLines(seen).Should().NotContain(line => line.Contains(" /proc "));
    }

    [Test]
    public void Nothing_is_allocated_on_the_way()
    {
        AddOverlay([.. Enumerable.Range(0, 90).Select(i => Layer($"{i}-{new string('x', 100)}"))], null, null);
        string log = Path.Combine(_bundle.Directory, "log");
        using TestContainer container = new(_bundle.Args("true"));
        container.GlobalOptions.AddRange(["--debug", "--log", log]);
        container.Run().ShouldSucceed();
        container.GlobalOptions.Clear();
        File.ReadAllText(log).Should().Contain("init allocated 0 bytes");
    }

    [Test]
    public void In_a_container_that_is_there([Values(5, 90)] int count, [Values] bool userNamespace)
    {
        if (userNamespace) LiveMount.Own(_bundle.WithUserNamespace());
        using TestContainer container = Observe.Sleeping(_bundle.Writable());
        string[] lower = [.. Enumerable.Range(0, count).Select(i => Layer($"{i}-{new string('x', 100)}", $"f{i}"))];
        LiveMount.Add(container, LiveMount.Of("/o", "overlay", "overlay", "lowerdir=" + string.Join(':', lower))).ShouldSucceed();
        container.Exec("ls", "/o").Lines.Should().HaveCount(count);
        LiveMount.Remove(container, LiveMount.At("/o")).ShouldSucceed();
    }

    /// <summary>Of a network file system it may be long; a tmpfs takes any, and takes the mode of what it covers all the same.</summary>
    [TestCase(255)]
    [TestCase(256)]
    [TestCase(4095)]
    public void A_long_source(int length)
    {
        string source = new('s', length);
        Directory.CreateDirectory(_bundle.InRootfs("/t"), (UnixFileMode)0b111_000_101);
        _bundle.AddMount("/t", "tmpfs", source, "size=1m", "sync", "nosuid");
        using TestContainer container = Observe.Sleeping(_bundle);
        MountInfo mount = container.Init.MountAt("/t");
        (mount.Source, mount.Type).Should().Be((source, "tmpfs"));
        mount.Options.Should().BeEquivalentTo("rw", "nosuid", "relatime");
        mount.SuperOptions.Should().Contain(["sync", "size=1024k"]);
        container.Exec("stat", "-c", "%a", "/t").Text.Should().Be("705");
    }

    [Test]
    public void What_no_way_can_say_is_an_error_before_anything_is_made()
    {
        _bundle.AddMount("/t", "tmpfs", new string('s', 4096));
        Observe.Refused(_bundle).Should().Contain("/mounts/7 /t: the source is longer than the 4095 bytes that mount(2) takes");
        _bundle.RemoveMount("/t").AddMount("/t", "tmpfs", "tmpfs", "mpol=" + new string('x', 5000));
        Observe.Refused(_bundle).Should()
            .Contain("/mounts/7 /t: an option is longer than the 255 bytes that fsconfig(2) takes, and all of them are longer than the "
            + "4095 that mount(2) takes");
        _bundle.RemoveMount("/t").AddMount("/sys", "sysfs", "sysfs", "remount", "x=" + new string('x', 256));
        Observe.Refused(_bundle).Should().Contain("/mounts/7 /sys: option \"x\": a remount takes at most 255 bytes for a value");
    }

    [Test]
    public void A_layer_that_is_missing_is_named([Values(3, 90)] int count)
    {
        string missing = Path.Combine(_layers, $"missing-{new string('x', 100)}");
        AddOverlay([.. Enumerable.Range(0, count).Select(i => Layer($"{i}-{new string('x', 100)}")), missing], null, null);
        Observe.Refused(_bundle).Should().Contain("/mounts/7: mount overlay on /o").And.Contain("ENOENT").And.Contain(missing);
    }

    [Test]
    public void More_layers_than_the_kernel_takes()
    {
        AddOverlay([.. Enumerable.Range(0, 510).Select(i => Layer($"{i}-{new string('x', 20)}"))], null, null);
        Observe.Refused(_bundle).Should()
            .Contain("/mounts/7: mount overlay on /o").And.Contain("create file system: invalid argument (EINVAL)");
    }

    /// <summary>The kernel's own words show that the option has reached the file system as it was written.</summary>
    [TestCase("size=", "Bad value for 'size'")]
    [TestCase("none", "Unknown parameter 'none'")]
    [TestCase("size=1m,none", "Unknown parameter 'none'")]
    [TestCase("size=1 m", "Bad value for 'size'")]
    [TestCase("mode=0=7", "Bad value for 'mode'")]
    public void Odd_options(string option, string words)
    {
        _bundle.AddMount("/t", "tmpfs", "tmpfs", option);
        Observe.Refused(_bundle).Should().Contain("/mounts/7").And.Contain(words);
    }

    [Test]
    public void A_value_without_a_name_is_nobodys_and_none_is_a_source()
    {
        _bundle.AddMount("/t", "tmpfs", "none", "=value", "size=1m,", ",nr_inodes=7");
        using TestContainer container = Observe.Sleeping(_bundle);
        container.Init.MountAt("/t").Should()
            .Match<MountInfo>(mount => mount.Source == "none" && mount.SuperOptions.Contains("size=1024k")
            && mount.SuperOptions.Contains("nr_inodes=7"));
    }

    private void AddOverlay(string[] lower, string? upper, string? work, params string[] words)
    {
        List<string> options = [.. words, "lowerdir=" + string.Join(':', lower.Select(static path => Escape(path)))];
        if (upper is not null) options.AddRange(["upperdir=" + Escape(upper), "workdir=" + Escape(work!)]);
        _bundle.AddMount("/o", "overlay", "overlay", [.. options]);
    }

    private static string Escape(string path) => path.Replace("\\", "\\\\").Replace(":", "\\:").Replace(",", "\\,");

    private string Layer(string name, string? file = null)
    {
        string path = Directory.CreateDirectory(Path.Combine(_layers, name)).FullName;
        if (file is not null) File.WriteAllText(Path.Combine(path, file), "");
        return path;
    }
}
