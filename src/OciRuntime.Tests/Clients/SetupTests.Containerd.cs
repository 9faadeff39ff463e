using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using FluentAssertions;
using NUnit.Framework;
using OciRuntime.Tests.Support;

namespace OciRuntime.Tests.Clients;

/// <content>containerd as the kubelet drives it, because ctr does not read which runtimes its configuration has.</content>
public sealed partial class SetupTests
{
    [Test]
    public async Task Containerd()
    {
        ClientHost ctr = Host("ctr");
        ctr.GlobalOptions.AddRange(["--address", $"{_directory}/c.sock"]);
        Directory.CreateDirectory($"{Etc}/containerd");
        // Where there is no CAP_SYS_RESOURCE, scores cannot be lowered.
        string before = $"""
            version = 2
            root = "{_directory}/root"
            state = "{_directory}/state"
            [grpc]
            address = "{_directory}/c.sock"
            [ttrpc]
            address = "{_directory}/t.sock"
            [plugins."io.containerd.grpc.v1.cri"]
            sandbox_image = "{ClientImage.Name}"
            restrict_oom_score_adj = true
            [plugins."io.containerd.grpc.v1.cri".containerd]
            snapshotter = "native"

            """;
        File.WriteAllText($"{Etc}/containerd/config.toml", before);
        // One that ends by itself may do so just as it is being stopped, and then its shim has gone.
        ClientImage.WriteOciLayout($"{_directory}/image.tar", ClientImage.Name, "sleep", "100000");

        Setup("containerd");
        (await CallsOfPods("ocirun", "")).Should().BeEquivalentTo([true, false], static o => o.WithStrictOrdering());
        Setup("containerd", "--default");
        (await CallsOfPods("", "runc")).Should().BeEquivalentTo([true, false], static o => o.WithStrictOrdering());
        Setup("containerd", "--shim");
        (await CallsOfPods("ocirun", "")).Should().BeEquivalentTo([true, false], static o => o.WithStrictOrdering());
        Setup("containerd", "--remove");
        File.ReadAllText($"{Etc}/containerd/config.toml").Should().Be(before);
        (await CallsOfPods("")).Should().Equal(false);

        async Task<bool[]> CallsOfPods(params string[] handlers)
        {
            using Server containerd = new("unshare", InPrivateEtc("containerd"));
            containerd.WaitUntil(() => ctr.Run("version").Succeeded);
            ctr.Run("--namespace", "k8s.io", "image", "import", $"{_directory}/image.tar").ShouldSucceed();
            List<bool> called = [];
            foreach (string handler in handlers)
            {
                byte[] id = await RunPod(handler);
                // By its ID: the shim of the pod before may still be calling, to clean up.
                called.Add(CallsOf(Encoding.ASCII.GetString(id.AsSpan(2))) != "");
                await Cri("StopPodSandbox", id);
                await Cri("RemovePodSandbox", id);
            }
            return [.. called];
        }

        string CallsOf(string id) =>
            string.Concat((File.Exists($"{_directory}/calls") ? File.ReadAllLines($"{_directory}/calls") : [])
                .Where(call => call.Contains(id)));
    }

    /// <summary>
    /// A pod without containers on the host's network, which needs no CNI; what keeps its namespaces is a container. Returns its ID as a
    /// field 1.
    /// </summary>
    private async Task<byte[]> RunPod(string handler)
    {
        byte[] metadata = [.. Text(1, "pod"), .. Text(2, TestRun.Token), .. Text(3, "default")];
        byte[] onHostNetwork = [8, 2]; // NamespaceOption.network = NODE
        byte[] linux = [.. Text(1, $"/{TestRun.Token}"), .. Field(2, Field(1, onHostNetwork))];
        byte[] answer = await Cri("RunPodSandbox", [.. Field(1, [.. Field(1, metadata), .. Field(8, linux)]), .. Text(2, handler)]);
        answer[0].Should().Be(10, "the ID is field 1");
        return answer;
    }

    /// <summary>
    /// One call of the Container Runtime Interface: gRPC is HTTP/2 with a length before the message and the outcome behind it.
    /// </summary>
    private async Task<byte[]> Cri(string method, byte[] message)
    {
        using SocketsHttpHandler handler = new() { ConnectCallback = Connect };
        using HttpClient client = new(handler);
        byte[] body = [0, 0, 0, 0, 0, .. message];
        BinaryPrimitives.WriteInt32BigEndian(body.AsSpan(1), message.Length);
        using HttpRequestMessage request = new(HttpMethod.Post, $"http://localhost/runtime.v1.RuntimeService/{method}")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body) { Headers = { { "Content-Type", "application/grpc" } } },
        };
        request.Headers.Add("TE", "trailers");
        using HttpResponseMessage response = await client.SendAsync(request);
        byte[] answer = await response.Content.ReadAsByteArrayAsync();
        string outcome = string.Join(' ', response.TrailingHeaders.Concat(response.Headers)
            .Where(static h => h.Key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase)).SelectMany(static h => h.Value));
        outcome.Trim().Should().Be("0", method);
        return answer[5..];
    }

    private async ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint($"{_directory}/c.sock"), cancel);
        return new NetworkStream(socket, ownsSocket: true);
    }

    private static byte[] Text(int field, string text) => Field(field, Encoding.UTF8.GetBytes(text));

    /// <summary>A field of Protocol Buffers with a length, which is below 128 here.</summary>
    private static byte[] Field(int number, byte[] content) =>
        [(byte)((number << 3) | 2), checked((byte)(content.Length < 128 ? content.Length : 256)), .. content];
}
