using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>google.protobuf.Any: what kind of message, and the message.</summary>
/// <param name="Type">What stands behind the last slash of the type's URL counts.</param>
/// <param name="Value">The message.</param>
internal readonly record struct AnyMessage(string Type, byte[] Value)
{
    public static AnyMessage Read(ReadOnlySpan<byte> message)
    {
        string type = "";
        byte[] value = [];
        for (ProtobufReader field = new(message); field.Next();)
        {
            if (field.Field == 1) type = field.Text;
            else if (field.Field == 2) value = field.Bytes.ToArray();
        }
        return new(type, value);
    }

    public static ProtobufWriter Write(string type, ReadOnlySpan<byte> value) => new ProtobufWriter().Text(1, type).Bytes(2, value);

    /// <summary>Whether it is this message, however its type is prefixed.</summary>
    public bool Is(string name) =>
        Type is not null && (Type == name || Type.EndsWith("/" + name, StringComparison.Ordinal));
}

/// <summary>containerd.types.Mount.</summary>
/// <param name="Type">A file system, or "bind".</param>
/// <param name="Source">What is mounted.</param>
/// <param name="Target">Where, below the root file system.</param>
/// <param name="Options">As in fstab(5).</param>
internal sealed record RootfsMount(string Type, string Source, string Target, List<string> Options)
{
    public static RootfsMount Read(ReadOnlySpan<byte> message)
    {
        string type = "", source = "", target = "";
        List<string> options = [];
        for (ProtobufReader field = new(message); field.Next();)
        {
            switch (field.Field)
            {
                case 1: type = field.Text; break;
                case 2: source = field.Text; break;
                case 3: target = field.Text; break;
                case 4: options.Add(field.Text); break;
                default: break;
            }
        }
        return new(type, source, target, options);
    }

    public ProtobufWriter Write()
    {
        ProtobufWriter message = new ProtobufWriter().Text(1, Type).Text(2, Source).Text(3, Target);
        foreach (string option in Options) message.Text(4, option);
        return message;
    }
}

/// <summary>
/// The fields of the requests of containerd.task.v2.Task and v3 (api/runtime/task/v3/shim.proto): 1 is the container and 2 the exec, where
/// there are such; the others stand in the method's own class or property.
/// </summary>
internal class TaskRequest
{
    public string Id { get; private set; } = "";

    public string ExecId { get; private set; } = "";

    /// <param name="request">A new one, which is filled.</param>
    /// <param name="message">What came.</param>
    /// <exception cref="FormatException">It is no message.</exception>
    public static T Read<T>(T request, ReadOnlySpan<byte> message)
        where T : TaskRequest
    {
        for (ProtobufReader field = new(message); field.Next();)
        {
            if (field.Field == 1) request.Id = field.Text;
            else if (!request.Take(field) && field.Field == 2) request.ExecId = field.Text;
        }
        return request;
    }

    /// <summary>Takes a field that is the method's own; false for another.</summary>
    protected virtual bool Take(in ProtobufReader field) => false;
}

/// <summary>The streams of Create and Exec, which have them in other fields.</summary>
/// <param name="Terminal">They are one terminal.</param>
/// <param name="Stdin">A path, a URI or empty.</param>
/// <param name="Stdout">As above.</param>
/// <param name="Stderr">As above.</param>
internal readonly record struct StreamNames(bool Terminal, string Stdin, string Stdout, string Stderr);

internal sealed class CreateRequest : TaskRequest
{
    private bool _terminal;
    private string _stdin = "", _stdout = "", _stderr = "";

    public string Bundle { get; private set; } = "";

    public List<RootfsMount> Rootfs { get; } = [];

    public StreamNames Streams => new(_terminal, _stdin, _stdout, _stderr);

    public string Checkpoint { get; private set; } = "";

    public AnyMessage Options { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        switch (field.Field)
        {
            case 2: Bundle = field.Text; break;
            case 3: Rootfs.Add(RootfsMount.Read(field.Bytes)); break;
            case 4: _terminal = field.Number != 0; break;
            case 5: _stdin = field.Text; break;
            case 6: _stdout = field.Text; break;
            case 7: _stderr = field.Text; break;
            case 8: Checkpoint = field.Text; break;
            case 10: Options = AnyMessage.Read(field.Bytes); break;
            default: return false;
        }
        return true;
    }
}

internal sealed class CheckpointRequest : TaskRequest
{
    /// <summary>The directory of the images.</summary>
    public string Path { get; private set; } = "";

    public AnyMessage Options { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        if (field.Field == 2) Path = field.Text;
        else if (field.Field == 3) Options = AnyMessage.Read(field.Bytes);
        return field.Field is 2 or 3;
    }
}

internal sealed class ExecRequest : TaskRequest
{
    private bool _terminal;
    private string _stdin = "", _stdout = "", _stderr = "";

    public StreamNames Streams => new(_terminal, _stdin, _stdout, _stderr);

    /// <summary>The process, as JSON.</summary>
    public AnyMessage Spec { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        switch (field.Field)
        {
            case 3: _terminal = field.Number != 0; break;
            case 4: _stdin = field.Text; break;
            case 5: _stdout = field.Text; break;
            case 6: _stderr = field.Text; break;
            case 7: Spec = AnyMessage.Read(field.Bytes); break;
            default: return false;
        }
        return true;
    }
}

internal sealed class KillRequest : TaskRequest
{
    public int Signal { get; private set; }

    public bool All { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        if (field.Field == 3) Signal = (int)field.Number;
        else if (field.Field == 4) All = field.Number != 0;
        return field.Field is 3 or 4;
    }
}

internal sealed class ResizeRequest : TaskRequest
{
    private ushort _columns, _rows;

    public WindowDimensions Size => new(_columns, _rows);

    protected override bool Take(in ProtobufReader field)
    {
        if (field.Field == 3) _columns = (ushort)Math.Clamp(field.Number, 0, ushort.MaxValue);
        else if (field.Field == 4) _rows = (ushort)Math.Clamp(field.Number, 0, ushort.MaxValue);
        return field.Field is 3 or 4;
    }
}

/// <summary>A terminal's size, in characters.</summary>
internal readonly record struct WindowDimensions(ushort Columns, ushort Rows);

internal sealed class CloseIORequest : TaskRequest
{
    public bool Stdin { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        if (field.Field == 3) Stdin = field.Number != 0;
        return field.Field == 3;
    }
}

internal sealed class UpdateRequest : TaskRequest
{
    /// <summary>The resources, as JSON.</summary>
    public AnyMessage Resources { get; private set; }

    protected override bool Take(in ProtobufReader field)
    {
        if (field.Field == 2) Resources = AnyMessage.Read(field.Bytes);
        return field.Field == 2;
    }
}
