namespace OciRuntime.DBus;

/// <summary>Kinds of messages (D-Bus specification, "Message Types").</summary>
internal enum BusMessageType : byte
{
    Call = 1,
    Return = 2,
    Error = 3,
    Signal = 4,
}

/// <summary>A message from the bus; what this program has no use for is left out.</summary>
internal sealed class BusMessage
{
    /// <summary>Everything before the header's fields, their length included.</summary>
    public const int FixedSize = 16;

    /// <summary>The longest message that is taken: answers and signals are some hundred bytes.</summary>
    public const int MaxSize = 1 << 20;

    private byte[] _body = [];
    private bool _bigEndian;

    public BusMessageType Type { get; private init; }
    public uint ReplySerial { get; private set; }
    public string Interface { get; private set; } = "";
    public string Member { get; private set; } = "";
    public string ErrorName { get; private set; } = "";
    public string Sender { get; private set; } = "";
    public string Signature { get; private set; } = "";

    /// <summary>What an error says in words; "" when it says nothing.</summary>
    public string ErrorText => Signature.StartsWith('s') ? new BusReader(_body, _bigEndian).String() : "";

    /// <summary>The arguments.</summary>
    /// <exception cref="FormatException">They are of other types.</exception>
    public BusReader Arguments(string signature) =>
        Signature == signature ? new BusReader(_body, _bigEndian)
        : throw new FormatException($"arguments \"{Signature}\" where \"{signature}\" belong");

    /// <summary>A method call, marshalled.</summary>
    /// <param name="serial">Its number, not 0, by which the answer refers to it.</param>
    /// <param name="call">What is called.</param>
    public static byte[] Marshal(uint serial, BusCall call)
    {
        BusWriter w = new();
        w.Byte((byte)'l');
        w.Byte((byte)BusMessageType.Call);
        w.Byte(0); // flags
        w.Byte(1); // version of the protocol
        w.UInt32((uint)call.Body.Length);
        w.UInt32(serial);
        (int, int) fields = w.BeginArray(8);
        AddField(w, HeaderField.Path, call.Path);
        AddField(w, HeaderField.Interface, call.Interface);
        AddField(w, HeaderField.Member, call.Member);
        AddField(w, HeaderField.Destination, call.Destination);
        if (call.Signature.Length > 0) AddField(w, HeaderField.Signature, call.Signature);
        w.EndArray(fields);
        w.Align(8);
        w.Raw(call.Body.Written);
        return w.Written.ToArray();
    }

    /// <summary>How long a message is, header included, by its first <see cref="FixedSize"/> bytes.</summary>
    /// <exception cref="FormatException">This is no message, or it is too long.</exception>
    public static int SizeOf(ReadOnlySpan<byte> start)
    {
        BusReader r = Begin(start, out _, out uint body);
        uint fields = r.UInt32();
        if (body > MaxSize || fields > MaxSize) throw new FormatException($"a message of more than {MaxSize} bytes");
        uint size = FixedSize + ((fields + 7) & ~7u) + body;
        return size <= MaxSize ? (int)size : throw new FormatException($"a message of more than {MaxSize} bytes");
    }

    /// <summary>Reads one whole message.</summary>
    /// <exception cref="FormatException">It is not well-formed.</exception>
    public static BusMessage Parse(ReadOnlySpan<byte> bytes)
    {
        BusReader r = Begin(bytes, out BusMessageType type, out uint body);
        BusMessage message = new() { Type = type, _bigEndian = bytes[0] == 'B', _body = bytes[^(int)body..].ToArray() };
        int end = r.Array(8);
        while (r.Position < end) message.ReadField(ref r);
        if (r.Position != end) throw new FormatException("a header that goes beyond its end");
        return message;
    }

    private static BusReader Begin(ReadOnlySpan<byte> bytes, out BusMessageType type, out uint body)
    {
        if (bytes[0] is not ((byte)'l' or (byte)'B')) throw new FormatException("something that is no message");
        BusReader r = new(bytes, bytes[0] == 'B');
        r.Byte();
        type = (BusMessageType)r.Byte();
        r.Byte();
        byte version = r.Byte();
        body = r.UInt32();
        if (type == 0 || version != 1 || r.UInt32() == 0) throw new FormatException("something that is no message");
        return r;
    }

    private void ReadField(ref BusReader r)
    {
        r.Structure();
        HeaderField field = (HeaderField)r.Byte();
        string signature = r.Signature();
        if ((TypeOf(field) ?? signature) != signature) throw new FormatException($"a header with \"{signature}\" in field {(byte)field}");
        switch (field)
        {
            case HeaderField.Interface: Interface = r.String(); break;
            case HeaderField.Member: Member = r.String(); break;
            case HeaderField.ErrorName: ErrorName = r.String(); break;
            case HeaderField.ReplySerial: ReplySerial = r.UInt32(); break;
            case HeaderField.Sender: Sender = r.String(); break;
            case HeaderField.Signature: Signature = r.Signature(); break;
            default: r.Skip(signature); break;
        }
    }

    private static void AddField(BusWriter w, HeaderField field, string value)
    {
        string type = TypeOf(field)!;
        w.Structure();
        w.Byte((byte)field);
        w.Signature(type);
        if (type == "g") w.Signature(value);
        else w.String(value);
    }

    /// <summary>Null for fields that are not known.</summary>
    private static string? TypeOf(HeaderField field) => field switch
    {
        HeaderField.Path => "o",
        HeaderField.Interface or HeaderField.Member or HeaderField.ErrorName or HeaderField.Destination or HeaderField.Sender => "s",
        HeaderField.ReplySerial => "u",
        HeaderField.Signature => "g",
        _ => null,
    };

    /// <summary>Fields of the header ("Header Fields").</summary>
    private enum HeaderField : byte
    {
        Path = 1, Interface, Member, ErrorName, ReplySerial, Destination, Sender, Signature,
    }
}

/// <summary>A method and its arguments.</summary>
/// <param name="Destination">Whose: a name on the bus.</param>
/// <param name="Path">Object.</param>
/// <param name="Interface">Interface.</param>
/// <param name="Member">Method.</param>
/// <param name="Signature">Types of the arguments.</param>
internal sealed record BusCall(string Destination, string Path, string Interface, string Member, string Signature = "")
{
    /// <summary>The arguments.</summary>
    public BusWriter Body { get; } = new();

    /// <summary>Of all arguments that are strings.</summary>
    public BusCall With(params ReadOnlySpan<string> strings)
    {
        foreach (string text in strings) Body.String(text);
        return this;
    }
}
