using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Protobuf;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>The mounts that containerd has the shim make of a root file system.</summary>
public sealed class RootFilesystemTests : ShimFixture
{
    /// <summary>As containerd has it for a view of a snapshot that is a directory.</summary>
    [Test]
    public void Bind_is_read_only()
    {
        using TestBundle bundle = Shim.Bundle().Writable().Script("touch /new 2>&1; ls /");
        string[] output = Run(bundle, "bind", bundle.Rootfs, "rbind", "ro");
        output.Should().Contain("touch: /new: Read-only file system").And.NotContain("new");
    }

    [Test]
    public void Attributes_are_the_mounts()
    {
        using TestBundle bundle = Shim.Bundle();
        string id = Create(bundle, Overlay(bundle, out _, "nosuid", "nodev", "noatime", "index=off"));
        MountsOf(bundle).Should().ContainSingle().Which.Should().Contain("rw,nosuid,nodev,noatime").And.Contain(" - overlay overlay ");
        Shim.Call("Delete", id);
        MountsOf(bundle).Should().BeEmpty();
    }

    /// <summary>More than mount(2) takes, and more than fsconfig(2) takes for one value.</summary>
    [TestCase(6, TestName = nameof(Layers_are_many) + "(more than a value)")]
    [TestCase(100, TestName = nameof(Layers_are_many) + "(more than a page)")]
    public void Layers_are_many(int count)
    {
        using TestBundle bundle = Shim.Bundle().Writable().Script("cat /first /last; echo x >/new");
        string[] layers = [.. Enumerable.Range(0, count).Select(index => Layer($"{index}-{new string('x', 50)}"))];
        File.WriteAllText($"{layers[0]}/first", "first\n");
        File.WriteAllText($"{layers[^1]}/last", "last\n");
        string[] overlay = Overlay(bundle, out string upper);
        overlay[0] = $"lowerdir={string.Join(':', layers)}:{bundle.Rootfs}";
        Run(bundle, "overlay", "overlay", overlay).Should().Equal("first", "last");
        File.ReadAllText($"{upper}/new").Should().Be("x\n");
    }

    /// <summary>As for a pod in a user namespace, whose image belongs to root.</summary>
    [TestCase(1)]
    [TestCase(40)]
    public void Layers_are_id_mapped(int count)
    {
        using TestBundle bundle = Shim.Bundle().Script("stat -c %u:%g /bin /own");
        string[] layers = [.. Enumerable.Range(0, count).Select(index => Layer($"layer-{new string('x', 80)}-{index}"))];
        File.WriteAllText($"{layers[0]}/own", "");
        string[] overlay = Overlay(bundle, out _, "uidmap=0:100000:65536", "gidmap=0:200000:10,10:300000:1000");
        overlay[0] = $"lowerdir={string.Join(':', layers)}:{bundle.Rootfs}";
        Run(bundle, "overlay", "overlay", overlay).Should().Equal("100000:200000", "100000:200000");
        Directory.Exists($"{bundle.Directory}/layers").Should().BeFalse();
    }

    [Test]
    public void Bind_is_id_mapped()
    {
        using TestBundle bundle = Shim.Bundle().Script("stat -c %u:%g /bin");
        Run(bundle, "bind", bundle.Rootfs, "rbind", "ro", "uidmap=0:1000:1", "gidmap=0:2000:1").Should().Equal("1000:2000");
    }

    /// <summary>The device is there for as long as the container is.</summary>
    [Test]
    public void File_is_a_block_device()
    {
        using TestBundle bundle = Shim.Bundle().Script("cat /proc/self/mounts");
        string image = $"{Shim.Directory}/image";
        Command.Run("mkfs.ext4", "-q", "-d", bundle.Rootfs, image, "16M").ShouldSucceed();
        string id = Create(bundle, ["loop", "ro"], "ext4", image);
        MountsOf(bundle).Should().ContainSingle().Which.Should().MatchRegex(" - ext4 /dev/loop[0-9]+ ro");
        string[] devices = Backed(image);
        devices.Should().HaveCount(1);
        Shim.Call("Start", id);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        MountsOf(bundle).Should().BeEmpty();
        Eventually.True(() => Backed(image).Length == 0, "the device lets the file go");
    }

    /// <summary>As engines do whose directories are below /var/run.</summary>
    [Test]
    public void Bundle_may_be_named_by_a_link()
    {
        using TestBundle bundle = Shim.Bundle();
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}", link = $"{Shim.Directory}/bundle";
        File.CreateSymbolicLink(link, bundle.Directory);
        ProtobufWriter mount = new ProtobufWriter().Text(1, "bind").Text(2, bundle.Rootfs).Text(4, "rbind");
        // Of a field that comes twice the last one counts.
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle).Message(3, mount).Text(2, link));
        MountsOf(bundle).Should().ContainSingle();
        Shim.Call("Delete", id);
        MountsOf(bundle).Should().BeEmpty();
    }

    [TestCase(Unimplemented, "fuse3.fuse-overlayfs", "lowerdir=/")]
    [TestCase(Unimplemented, "overlay", "X-containerd.mkdir.path=/x")]
    [TestCase(Unimplemented, "overlay", "lowerdir=/", "remount")]
    [TestCase(InvalidArgument, "bind", "bind", "uidmap=0:0", "gidmap=0:0:1")]
    [TestCase(Unknown, "overlay", "lowerdir=/nowhere")]
    [TestCase(Unknown, "overlay", "lowerdir=/:/nowhere", "uidmap=0:1:1", "gidmap=0:1:1")]
    public void What_cannot_be_mounted_leaves_nothing(int code, string type, params string[] options)
    {
        using TestBundle bundle = Shim.Bundle();
        Refusal(() => Create(bundle, options, type, "/")).Code.Should().Be(code);
        MountsOf(bundle).Should().BeEmpty();
        Directory.Exists($"{bundle.Directory}/layers").Should().BeFalse();
    }

    private string Layer(string name) => Directory.CreateDirectory($"{Shim.Directory}/snapshots/{name}").FullName;

    /// <summary>The bundle's own files are the lowest layer, and here the only one.</summary>
    private string[] Overlay(TestBundle bundle, out string upper, params string[] more)
    {
        upper = Layer("upper");
        return [$"lowerdir={Layer("empty")}:{bundle.Rootfs}", $"upperdir={upper}", $"workdir={Layer("work")}", .. more];
    }

    private string Create(TestBundle bundle, string[] options, string type = "overlay", string source = "overlay", string stdout = "")
    {
        string id = $"{TestRun.Token}-{TestRun.NextNumber()}";
        ProtobufWriter mount = new ProtobufWriter().Text(1, type).Text(2, source);
        foreach (string option in options) mount.Text(4, option);
        Shim.Client.Call("Create", Shim.CreateRequest(id, bundle, stdout).Message(3, mount));
        return id;
    }

    /// <summary>From its creation to its end; what the container has written.</summary>
    private string[] Run(TestBundle bundle, string type, string source, params string[] options)
    {
        string output = $"{Shim.Directory}/out", id = Create(bundle, options, type, source, $"file://{output}");
        MountsOf(bundle).Should().ContainSingle();
        Shim.Call("Start", id);
        Shim.Wait(id).Should().Be(0);
        Shim.Call("Delete", id);
        MountsOf(bundle).Should().BeEmpty();
        return File.ReadAllLines(output);
    }

    /// <summary>Lines of the mount table.</summary>
    private static string[] MountsOf(TestBundle bundle) =>
        [.. File.ReadLines("/proc/self/mountinfo").Where(line => line.Contains($" {bundle.Directory}/"))];

    private static string[] Backed(string image) =>
        [.. Directory.GetDirectories("/sys/block", "loop*").Where(device => Text($"{device}/loop/backing_file").TrimEnd() == image)];

    private static string Text(string path) => File.Exists(path) ? File.ReadAllText(path) : "";
}
