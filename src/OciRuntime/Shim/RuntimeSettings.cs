using System.Globalization;
using System.Text;
using OciRuntime.Linux;
using OciRuntime.Protobuf;

namespace OciRuntime.Shim;

/// <summary>
/// What containerd's configuration says of the runtime: containerd.runc.v1.Options, or runtimeoptions.v1.Options, which is what an engine
/// sends for a type of another name, or nothing.
/// </summary>
internal sealed class RuntimeSettings
{
    /// <summary>Below it is a directory of containers for each namespace of containerd's.</summary>
    public const string DefaultRoot = "/run/containerd/runc";

    private const int MaxBytes = 1 << 20;

    public bool NoPivotRoot { get; private set; }

    public bool NoNewKeyring { get; private set; }

    /// <summary>The cgroup that the shim itself is to be in, or empty.</summary>
    public string ShimCgroup { get; private set; } = "";

    /// <summary>Whom the streams of a process belong to, as it has them: of a user namespace's root.</summary>
    public uint IoUid { get; private set; }

    /// <inheritdoc cref="IoUid"/>
    public uint IoGid { get; private set; }

    public string Root { get; private set; } = DefaultRoot;

    public bool SystemdCgroup { get; private set; }

    /// <summary>The directory of criu's log in a restore, or empty.</summary>
    public string CriuWorkPath { get; private set; } = "";

    /// <summary>Unknown kinds say nothing that is known here.</summary>
    /// <exception cref="FormatException">It is no message.</exception>
    /// <exception cref="OciException">A file that it names cannot be read.</exception>
    public static RuntimeSettings Read(AnyMessage options)
    {
        RuntimeSettings settings = new();
        if (options.Is("containerd.runc.v1.Options")) settings.ReadRunc(options.Value);
        else if (options.Is("runtimeoptions.v1.Options")) settings.ReadGeneric(options.Value);
        return settings;
    }

    private void ReadRunc(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader field = new(message); field.Next();)
        {
            switch (field.Field)
            {
                case 1: NoPivotRoot = field.Number != 0; break;
                case 2: NoNewKeyring = field.Number != 0; break;
                case 3: ShimCgroup = field.Text; break;
                case 4: IoUid = (uint)field.Number; break;
                case 5: IoGid = (uint)field.Number; break;
                case 7 when !field.Bytes.IsEmpty: Root = field.Text; break;
                case 9: SystemdCgroup = field.Number != 0; break;
                case 11: CriuWorkPath = field.Text; break;
                default: break;
            }
        }
    }

    /// <summary>
    /// It names a file, or has the options' table of the engine's own configuration: TOML with the names of runc's. containerd sends one of
    /// them, Docker the path only.
    /// </summary>
    private void ReadGeneric(ReadOnlySpan<byte> message)
    {
        for (ProtobufReader field = new(message); field.Next();)
        {
            if (field.Field == 2 && !field.Bytes.IsEmpty) ReadFile(field.Text);
            else if (field.Field == 3) ReadText(field.Text);
        }
    }

    private void ReadFile(string path) => ReadText(Encoding.UTF8.GetString(
        Files.ReadFileAt(Files.AT_FDCWD, path, MaxBytes, out long error)
        ?? throw OciException.FromResult(error, $"read {path}, the ConfigPath of this runtime")));

    private void ReadText(string text)
    {
        foreach (string line in text.Split('\n'))
        {
            int equals = line.IndexOf('=');
            if (equals > 0) Set(line[..equals].Trim().Trim('"'), Value(line[(equals + 1)..].Trim()));
        }
    }

    /// <summary>Without quotes, or the comment behind it.</summary>
    private static string Value(string text)
    {
        bool quoted = text is ['"' or '\'', ..];
        int end = quoted ? text.IndexOf(text[0], 1) : text.IndexOf('#');
        return (end < 0 ? text : text[..end])[(quoted ? 1 : 0)..].Trim();
    }

    private void Set(string name, string value)
    {
        switch (name)
        {
            case "NoPivotRoot": NoPivotRoot = value == "true"; break;
            case "NoNewKeyring": NoNewKeyring = value == "true"; break;
            case "ShimCgroup": ShimCgroup = value; break;
            case "IoUid" when uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint uid): IoUid = uid; break;
            case "IoGid" when uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint gid): IoGid = gid; break;
            case "Root" when value.Length > 0: Root = value; break;
            case "SystemdCgroup": SystemdCgroup = value == "true"; break;
            case "CriuWorkPath": CriuWorkPath = value; break;
            default: break;
        }
    }
}
