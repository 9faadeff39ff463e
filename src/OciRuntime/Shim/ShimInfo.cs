using OciRuntime.Cli;
using OciRuntime.Linux;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary><c>-info</c>: containerd.types.RuntimeInfo, by which containerd 2 decides what it may ask of the runtime.</summary>
internal static class ShimInfo
{
    private const string FeaturesType = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";
    private const int MaxInput = 10 << 20;

    /// <param name="features">The features document of the runtime specification, as JSON.</param>
    /// <returns>What is to be printed.</returns>
    public static byte[] Document(ReadOnlySpan<byte> features)
    {
        byte[] options = Files.ReadToEnd(0, MaxInput, out long error) ?? throw OciException.FromResult(error, "read standard input");
        ProtobufWriter info = new ProtobufWriter().Text(1, ShimName.Program)
            .Message(2, new ProtobufWriter().Text(1, BuildInfo.Version).Text(2, BuildInfo.Commit));
        if (options.Length > 0) info.Bytes(3, options);
        return info.Message(4, AnyMessage.Write(FeaturesType, features)).Written.ToArray();
    }
}
