using System.Security.Cryptography;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Linux;
using OciRuntime.Protobuf;
using OciRuntime.Shim;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Shim;

/// <summary>What containerd and its shims agree on before they speak to each other.</summary>
public sealed class ShimStartTests
{
    private const string Address = "unix:///run/containerd/s/0123";

    [Test]
    public void Hashes_are_the_frameworks()
    {
        Random random = new(1);
        foreach (int length in (int[])[0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])
        {
            byte[] message = new byte[length];
            random.NextBytes(message);
            Sha256.Of(message).Should().Equal(SHA256.HashData(message), "{0} bytes", length);
        }
    }

    [Test]
    public void Sockets_have_containerds_names()
    {
        string path = ShimSocket.PathOf("/run/containerd/s", "/run/containerd/containerd.sock", "k8s.io", "abc");
        path.Should().StartWith("/run/containerd/s/a99a1752d3a0").And.EndWith("0b72").And.HaveLength("/run/containerd/s/".Length + 64);
        ShimSocket.PathOf("/d", "/run//containerd/containerd.sock/", "k8s.io", "abc")[2..].Should().Be(path["/run/containerd/s".Length..]);
    }

    [Test]
    public void Older_containerd_gives_options_and_takes_an_address()
    {
        byte[] options = AnyMessage.Write("containerd.runc.v1.Options", new ProtobufWriter().Text(3, "/shims").Text(7, "/root")
            .Number(9, 1L).Written).Written.ToArray();
        BootstrapParameters read = BootstrapParameters.Read(options, "c1", "default");
        RuntimeSettings settings = RuntimeSettings.Read(read.Options);
        (settings.ShimCgroup, settings.Root, settings.SystemdCgroup).Should().Be(("/shims", "/root", true));
        Encoding.UTF8.GetString(read.Answer(Address)).Should().Be(Address);
        Encoding.UTF8.GetString(BootstrapParameters.Read([], "c1", "default").Answer(Address)).Should().Be(Address);
    }

    [Test]
    public void Newer_containerd_gives_parameters_and_takes_a_result()
    {
        ProtobufWriter extension = new ProtobufWriter().Message(1,
            AnyMessage.Write("types.containerd.io/containerd.runc.v1.Options", new ProtobufWriter().Text(7, "/root").Written));
        byte[] parameters = new ProtobufWriter().Text(1, "c1").Text(2, "default").Text(4, "2.3.0").Message(8, extension)
            .Text(9, "/sockets").Written.ToArray();
        BootstrapParameters read = BootstrapParameters.Read(parameters, "c1", "default");
        (RuntimeSettings.Read(read.Options).Root, read.SocketDirectory).Should().Be(("/root", "/sockets"));
        Convert.ToHexStringLower(read.Answer(Address)).Should()
            .Be($"0802" + $"12{Address.Length:x2}" + Convert.ToHexStringLower(Encoding.UTF8.GetBytes(Address)) + "1a05747472" + "7063");
    }

    [Test]
    public void Options_of_any_type_are_a_table()
    {
        const string Body = "Root = \"/some/root\"\nSystemdCgroup = true\nShimCgroup = \"/x\"\n";
        byte[] options = new ProtobufWriter().Text(1, "any").Bytes(3, Encoding.UTF8.GetBytes(Body)).Written.ToArray();
        RuntimeSettings settings = RuntimeSettings.Read(new AnyMessage("runtimeoptions.v1.Options", options));
        (settings.Root, settings.SystemdCgroup, settings.ShimCgroup).Should().Be(("/some/root", true, "/x"));
    }

    [Test]
    public void Options_of_any_type_may_be_in_a_file()
    {
        string path = TestRun.NewPath("toml");
        AnyMessage options = new("runtimeoptions.v1.Options", new ProtobufWriter().Text(2, path).Written.ToArray());
        FluentActions.Invoking(() => RuntimeSettings.Read(options)).Should().Throw<OciException>()
            .WithMessage($"read {path}, the ConfigPath of this runtime: no such file or directory (ENOENT)");
        File.WriteAllText(path, "# [options]\nRoot = '/some/#root' # here\nSystemdCgroup=true# yes\nNoPivotRoot = false\n");
        RuntimeSettings settings = RuntimeSettings.Read(options);
        File.Delete(path);
        (settings.Root, settings.SystemdCgroup, settings.NoPivotRoot).Should().Be(("/some/#root", true, false));
    }

    [TestCase("containerd-shim-ocirun-v2", true)]
    [TestCase("/usr/local/bin/containerd-shim-ocirun-v2", true)]
    [TestCase("ocirun", false)]
    [TestCase("/containerd-shim/ocirun", false)]
    public void Program_is_a_shim_by_its_name(string program, bool expected) => ShimName.Is(program).Should().Be(expected);

    [Test]
    public void Streams_have_names_with_arguments()
    {
        const string Name = "binary:///usr/bin/log+ger?key=a%20b&flag&other=";
        (StreamUri.Scheme(Name), StreamUri.Path(Name)).Should().Be(("binary", "/usr/bin/log+ger"));
        StreamUri.Words(Name).Should().Equal("key", "a b", "flag", "other");
        StreamUri.Scheme("/run/containerd/fifo/1").Should().BeEmpty();
        ((Action)(() => StreamUri.Scheme("ttrpc+unix://x"))).Should().Throw<Exception>().WithMessage("unknown STDIO scheme ttrpc+unix: *");
    }
}
