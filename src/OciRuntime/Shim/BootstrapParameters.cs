using System.Text;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>
/// What containerd says to <c>start</c> on its standard input: from 2.3 on containerd.runtime.bootstrap.v1.BootstrapParams, before that the
/// runtime's options or nothing.
/// </summary>
internal sealed class BootstrapParameters
{
    private const int Version = 2;

    private bool _isBootstrap;

    /// <summary>The runtime's options.</summary>
    public AnyMessage Options { get; private set; } = new("", []);

    /// <summary>Where the socket is to be, or empty.</summary>
    public string SocketDirectory { get; private set; } = "";

    /// <summary>
    /// An Any can be read as the other message, too, whose first two fields have other meanings; but then it does not name this container.
    /// </summary>
    /// <exception cref="FormatException">It is neither.</exception>
    public static BootstrapParameters Read(ReadOnlySpan<byte> input, string id, string space)
    {
        BootstrapParameters read = new();
        string first = "", second = "";
        for (ProtobufReader field = new(input); field.Next();)
        {
            switch (field.Field)
            {
                case 1: first = field.Text; break;
                case 2: second = field.Text; break;
                case 8: read.AddExtension(field.Bytes); break;
                case 9: read.SocketDirectory = field.Text; break;
                default: break;
            }
        }
        read._isBootstrap = first == id && second == space;
        return read._isBootstrap ? read : new() { Options = AnyMessage.Read(input) };
    }

    /// <summary>What containerd expects in return.</summary>
    public byte[] Answer(string address) => !_isBootstrap ? Encoding.UTF8.GetBytes(address)
        : new ProtobufWriter().Number(1, Version).Text(2, address).Text(3, "ttrpc").Written.ToArray();

    /// <summary>The only one that there is are the options.</summary>
    private void AddExtension(ReadOnlySpan<byte> extension)
    {
        for (ProtobufReader field = new(extension); field.Next();) if (field.Field == 1) Options = AnyMessage.Read(field.Bytes);
    }
}
