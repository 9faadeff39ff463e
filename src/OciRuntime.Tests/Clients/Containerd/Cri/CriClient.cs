using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;

namespace OciRuntime.Tests.Clients.Containerd.Cri;

/// <summary>The kubelet's connection to containerd.</summary>
internal sealed class CriClient : IDisposable
{
    private readonly GrpcChannel _channel;
    private readonly ImageService.ImageServiceClient _images;

    /// <param name="socket">Path of containerd's Unix socket; nobody need listen yet.</param>
    public CriClient(string socket)
    {
        _channel = GrpcChannel.ForAddress("http://containerd", new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler
            {
                ConnectCallback = async (_, cancellation) =>
                {
                    Socket connection = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    await connection.ConnectAsync(new UnixDomainSocketEndPoint(socket), cancellation);
                    return new NetworkStream(connection, ownsSocket: true);
                },
            },
        });
        Runtime = new RuntimeService.RuntimeServiceClient(_channel);
        _images = new ImageService.ImageServiceClient(_channel);
    }

    public RuntimeService.RuntimeServiceClient Runtime { get; }

    /// <summary>Whether the service answers and says that it, and its network, are ready.</summary>
    public bool IsReady
    {
        get
        {
            try
            {
                // A later containerd has a condition more, which is false where its configuration has words of the past.
                return Runtime.Status(new StatusRequest()).Status.Conditions
                    .All(static condition => condition.Status || condition.Type is not ("RuntimeReady" or "NetworkReady"));
            }
            catch (RpcException)
            {
                return false;
            }
        }
    }

    public bool HasImage(string name) =>
        _images.ImageStatus(new ImageStatusRequest { Image = new ImageSpec { Image = name } }).Image is not null;

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();
}
