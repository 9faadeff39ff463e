using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Lifecycle;

/// <summary>Which descriptors reach the container: those that were asked for and no other (CVE-2024-21626).</summary>
public sealed class DescriptorTests
{
    private const string ReadThem = "for fd in 3 4 5 6; do cat <&$fd || echo closed; done 2>/dev/null; ls /proc/self/fd | tr '\\n' ' '";

    [Test]
    public void Preserved_ones_keep_their_order_and_the_rest_is_closed()
    {
        using Texts files = new("a", "b", "c", "d");
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.Script(ReadThem)) { Options = files.Options() };
        container.Run("--preserve-fds", "2").ShouldSucceed().Text.Should()
            .Be("a\nb\nclosed\nclosed\n0 1 2 3 4 5 ", "5 is the directory that ls reads");
    }

    [TestCase(0)]
    [TestCase(2)]
    public void A_created_container_holds_nothing_else(int preserved)
    {
        using Texts files = new("a", "b", "c", "d", "e");
        using TestBundle bundle = new();
        string network = $"/proc/{Environment.ProcessId}/ns/net";
        using TestContainer container =
            new(bundle.AddNamespace("network", network).Script("sleep 100").WithCgroup()) { Options = files.Options() };
        container.Create("--preserve-fds", $"{preserved}").ShouldSucceed();
        IReadOnlyDictionary<int, string> open = container.Init.Descriptors;
        int[] expected = [0, 1, 2, .. Enumerable.Range(3, preserved)];
        open.Keys.Should().Contain(expected);
        open.Where(fd => !expected.Contains(fd.Key)).Should().ContainSingle().Which.Value.Should()
            .StartWith("socket:", "it is what start connects to");
        container.Start().ShouldSucceed();
        Eventually.True(() => container.Init.Descriptors.Keys.Order().SequenceEqual(expected), "the program has no other");
    }

    [Test]
    public void Socket_activation_comes_first()
    {
        using Texts files = new("listen", "preserved");
        using TestBundle bundle = new();
        bundle.Script(ReadThem + "; echo; echo $LISTEN_FDS $LISTEN_PID");
        using TestContainer container = new(bundle);
        string command =
            $"LISTEN_FDS=1 LISTEN_PID=$$ exec {Ocirun.Binary.Path} --root {container.StateRoot} run --preserve-fds 1 --bundle "
            + $"{bundle.Save().Directory} {container.Id}";
        Command.Run("sh", ["-c", command], files.Options()).ShouldSucceed().Text.Should()
            .Be("listen\npreserved\nclosed\nclosed\n0 1 2 3 4 5 \n1 1");
    }

    [Test]
    public void Socket_activation_of_another_process_is_not_ours()
    {
        using Texts files = new("listen");
        using TestBundle bundle = new();
        Dictionary<string, string?> env =
            new()
            { ["LISTEN_FDS"] = "1", ["LISTEN_PID"] = $"{Environment.ProcessId}" };
        using TestContainer container =
            new(
            bundle.Script("echo ${LISTEN_FDS-unset}; ls /proc/self/fd | tr '\\n' ' '"))
            { Options = files.Options() with { Env = env } };
        container.Run().ShouldSucceed().Text.Should().Be("unset\n0 1 2 3 ");
    }

    [Test]
    public void Closed_standard_streams_become_dev_null()
    {
        using TestBundle bundle = new();
        using TestContainer container =
            new(bundle.Script("readlink /proc/self/fd/0; readlink /proc/$$/fd/2; ls /proc/$$/fd | tr '\\n' ' '"));
        string command =
            $"exec {Ocirun.Binary.Path} --root {container.StateRoot} run --bundle {bundle.Save().Directory} {container.Id} <&- 2>&-";
        string[] lines = Command.Run("sh", "-c", command).ShouldSucceed().Lines;
        lines.Should().HaveCount(3);
        lines[..2].Should().OnlyContain(link => link == "/dev/null" || link == "/null");
        lines[2].Should().StartWith("0 1 2 ");
    }

    [Test]
    public void Pipes_given_to_create_belong_to_the_containers_user()
    {
        using TestBundle bundle = new();
        using TestContainer container = new(bundle.User(1000, 1000).Script("cat > /dev/stdout; echo err > /dev/stderr"));
        string runtime = $"{Ocirun.Binary.Path} --root {container.StateRoot}";
        string command =
            $"(echo through | {runtime} create --bundle {bundle.Save().Directory} {container.Id}) 2>&1 | cat & "
            + $"{runtime} state {container.Id} >/dev/null 2>&1; "
            + $"until {runtime} start {container.Id} 2>/dev/null; do sleep 0.05; done; wait";
        Command.Run("sh", "-c", command).ShouldSucceed().Lines.Should().Equal("through", "err");
    }

    /// <summary>Open files with a text each, for descriptors 3, 4, …</summary>
    private sealed class Texts(params string[] texts) : IDisposable
    {
        private readonly OutputFile[] _files = [
            .. texts.Select(text => OutputFile.Containing(System.Text.Encoding.UTF8.GetBytes(text + "\n")))];

        public CommandOptions Options() => new() { ExtraFds = [.. _files.Select(file => file.Fd)] };

        public void Dispose() => Array.ForEach(_files, file => file.Dispose());
    }
}
