using System.Globalization;
using System.Text;
using OciRuntime.Linux;

namespace OciRuntime.DBus;

/// <summary>A message bus: what people call it, and its address (D-Bus specification, "Server Addresses").</summary>
/// <param name="Name">"system bus" or "user bus".</param>
/// <param name="Text">Addresses in order of preference, with ';' between them.</param>
internal sealed record BusAddress(string Name, string Text)
{
    private const string SystemDefault = "unix:path=/run/dbus/system_bus_socket";

    /// <summary>The bus of the machine.</summary>
    public static BusAddress System() => new("system bus", Setting("DBUS_SYSTEM_BUS_ADDRESS") ?? SystemDefault);

    /// <summary>The bus of the caller's own session.</summary>
    /// <exception cref="OciException">He has none.</exception>
    public static BusAddress User()
    {
        const string Name = "user bus";
        if (Setting("DBUS_SESSION_BUS_ADDRESS") is { } address) return new(Name, address);
        if (Setting("XDG_RUNTIME_DIR") is { } directory) return new(Name, "unix:path=" + Escape($"{directory}/bus"));
        // Callers such as cron and hooks have no environment of a session, and yet there may be one.
        string usual = $"/run/user/{Processes.EffectiveUid()}/bus";
        if (Files.StatAt(Files.AT_FDCWD, usual, Files.AT_SYMLINK_NOFOLLOW, out Statx stat) >= 0 && stat.Uid == Processes.EffectiveUid())
            return new(Name, "unix:path=" + usual);
        throw new OciException(
            "no user bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set; log in as this user (or: loginctl enable-linger), "
            + "or use --cgroup-manager cgroupfs", Errno.ENOENT);
    }

    public override string ToString() => $"{Name} ({Text})";

    /// <summary>
    /// The sockets among the addresses, in order, as <see cref="Sockets.Connect"/> takes them. Other transports are passed over.
    /// </summary>
    /// <exception cref="OciException">An address is malformed, or none is a socket.</exception>
    public List<string> SocketNames()
    {
        List<string> names = [];
        foreach (string address in Text.Split(';', StringSplitOptions.RemoveEmptyEntries))
        {
            int colon = address.IndexOf(':');
            if (colon <= 0) throw Malformed(address);
            if (address[..colon] == "unix" && SocketName(address, address[(colon + 1)..]) is { } name) names.Add(name);
        }
        return names.Count > 0 ? names
            : throw new OciException($"{this}: no address with unix:path= or unix:abstract= among them", Errno.EAFNOSUPPORT);
    }

    private string? SocketName(string address, string pairs)
    {
        foreach (string pair in pairs.Split(','))
        {
            int equals = pair.IndexOf('=');
            if (equals <= 0) throw Malformed(address);
            string value = Unescape(address, pair[(equals + 1)..]);
            switch (pair[..equals])
            {
                case "path": return value.StartsWith('/') ? value : throw Malformed(address);
                case "abstract": return value.Length > 0 ? "@" + value : throw Malformed(address);
                case "runtime" when value == "yes" && Setting("XDG_RUNTIME_DIR") is { } directory: return directory + "/bus";
                default: break;
            }
        }
        return null;
    }

    private string Unescape(string address, string value)
    {
        if (!value.Contains('%')) return value;
        List<byte> bytes = [];
        byte[] text = Encoding.UTF8.GetBytes(value);
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '%')
            {
                bytes.Add(text[i]);
                continue;
            }
            if (i + 2 >= text.Length
                || !byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte b)
                || b == 0)
            {
                throw Malformed(address);
            }
            bytes.Add(b);
            i += 2;
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    /// <summary>Everything but what the specification calls optionally-escaped.</summary>
    private static string Escape(string path)
    {
        StringBuilder escaped = new();
        foreach (byte b in Encoding.UTF8.GetBytes(path))
        {
            char c = (char)b;
            if (char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '/' or '.' or '\\') escaped.Append(c);
            else escaped.Append('%').Append(b.ToString("x2", CultureInfo.InvariantCulture));
        }
        return escaped.ToString();
    }

    private OciException Malformed(string address) => new($"{Name}: malformed D-Bus address \"{address}\"", Errno.EINVAL);

    private static string? Setting(string name) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : null;
}
