using System.Text.Json;
using OciRuntime.Linux;
using OciRuntime.Spec;

namespace OciRuntime.State;

// By hand over Utf8JsonReader: JsonSerializer costs 0.7 ms the first time it is used, more than all the rest of `ocirun state`.
internal sealed partial class ContainerState
{
    /// <summary>Reads what <see cref="ToJson"/> wrote. Unknown fields are ignored, a newer version is refused.</summary>
    /// <param name="json">The contents of state.json.</param>
    /// <param name="id">The container it was found in; a journal that names another one is not trusted.</param>
    /// <exception cref="OciException">With errno EPROTO when it is damaged, EOPNOTSUPP when it is of a newer version.</exception>
    public static ContainerState Parse(ReadOnlySpan<byte> json, string id)
    {
        ContainerState state;
        try
        {
            state = Read(json);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            throw Unreadable(id, e.Message);
        }
        if (state.Version > CurrentVersion)
        {
            throw Unreadable(id, $"version {state.Version}, written by a newer ocirun; this one knows {CurrentVersion}", Errno.EOPNOTSUPP);
        }
        if (state.Version < 1) throw Unreadable(id, "it has no version");
        return state.Id == id ? state : throw Unreadable(id, $"it is about container \"{state.Id}\"");
    }

    private static OciException Unreadable(string id, string reason, int errno = Errno.EPROTO) => new($"state of container {id} cannot be read: {reason}", errno);

    private static ContainerState Read(ReadOnlySpan<byte> json)
    {
        Utf8JsonReader r = new(json);
        ContainerState s = new() { Version = 0 };
        int pid = 0, creatorPid = 0;
        ulong startTime = 0, creatorStartTime = 0;
        for (Begin(ref r, JsonTokenType.StartObject); NextProperty(ref r, out string name);)
        {
            switch (name)
            {
                case "version": s.Version = r.GetInt32(); break;
                case "id": s.Id = Text(ref r); break;
                case "ociVersion": s.OciVersion = Text(ref r); break;
                case "phase": s.Phase = ReadPhase(Text(ref r)); break;
                case "pid": pid = r.GetInt32(); break;
                case "startTime": startTime = r.GetUInt64(); break;
                case "creatorPid": creatorPid = r.GetInt32(); break;
                case "creatorStartTime": creatorStartTime = r.GetUInt64(); break;
                case "created": s.Created = Text(ref r); break;
                case "bundle": s.Bundle = Text(ref r); break;
                case "rootfs": s.Rootfs = Text(ref r); break;
                case "configPath": s.ConfigPath = r.GetString(); break;
                case "annotations": ReadAnnotations(ref r, s.Annotations); break;
                case "cgroupManager": s.CgroupManager = Text(ref r); break;
                case "cgroupDirectories": s.CgroupDirectories = ReadStrings(ref r); break;
                case "cgroupsCreated": s.CgroupsCreated = r.TokenType == JsonTokenType.Null ? null : ReadStrings(ref r); break;
                case "cgroupParents": s.CgroupParents = ReadStrings(ref r); break;
                case "resctrlGroups": s.ResctrlGroups = ReadStrings(ref r); break;
                case "systemdUnit": s.SystemdUnit = r.GetString(); break;
                case "systemdUser": s.SystemdUser = r.GetBoolean(); break;
                case "privatePidNamespace": s.PrivatePidNamespace = r.GetBoolean(); break;
                case "detached": s.Detached = r.GetBoolean(); break;
                case "keep": s.Keep = r.GetBoolean(); break;
                case "keyring": s.Keyring = r.GetBoolean(); break;
                case "protectiveMounts": s.ProtectiveMounts = ReadNumbers(ref r); break;
                case "ownerUid": s.OwnerUid = r.GetUInt32(); break;
                case "notifySocket": s.NotifySocket = r.GetString(); break;
                case "hostMount": s.HostMount = ReadHostMount(ref r); break;
                case "hooks": ReadHooks(ref r, s); break;
                default: r.Skip(); break;
            }
        }
        s.Init = new ProcessIdentity(pid, startTime);
        s.Creator = new ProcessIdentity(creatorPid, creatorStartTime);
        return s;
    }

    private static void Begin(ref Utf8JsonReader r, JsonTokenType expected)
    {
        if (!r.Read() || r.TokenType != expected) throw new JsonException($"expected {expected}, found {r.TokenType}");
    }

    /// <summary>Moves to the value of the next property of the current object; false at its end.</summary>
    private static bool NextProperty(ref Utf8JsonReader r, out string name)
    {
        name = "";
        if (!r.Read() || r.TokenType == JsonTokenType.EndObject) return false;
        name = r.GetString()!;
        r.Read();
        return true;
    }

    private static string Text(ref Utf8JsonReader r) => r.GetString() ?? "";

    private static ContainerPhase ReadPhase(string text) => text switch
    {
        "creating" => ContainerPhase.Creating,
        "created" => ContainerPhase.Created,
        _ => throw new JsonException($"phase \"{text}\""),
    };

    private static void ReadAnnotations(ref Utf8JsonReader r, SortedDictionary<string, string> annotations)
    {
        Expect(ref r, JsonTokenType.StartObject);
        while (NextProperty(ref r, out string name)) annotations[name] = Text(ref r);
    }

    private static string[] ReadStrings(ref Utf8JsonReader r)
    {
        Expect(ref r, JsonTokenType.StartArray);
        List<string> items = [];
        while (r.Read() && r.TokenType != JsonTokenType.EndArray) items.Add(Text(ref r));
        return [.. items];
    }

    private static HostMount ReadHostMount(ref Utf8JsonReader r)
    {
        Expect(ref r, JsonTokenType.StartObject);
        HostMount mount = default;
        while (NextProperty(ref r, out string name))
        {
            switch (name)
            {
                case "id": mount = mount with { Id = r.GetUInt64() }; break;
                case "uniqueId": mount = mount with { UniqueId = r.GetUInt64() }; break;
                case "parent": mount = mount with { Parent = r.GetUInt64() }; break;
                case "inode": mount = mount with { Inode = r.GetUInt64() }; break;
                case "namespace": mount = mount with { Namespace = r.GetUInt64() }; break;
                default: r.Skip(); break;
            }
        }
        return mount;
    }

    private static ulong[] ReadNumbers(ref Utf8JsonReader r)
    {
        Expect(ref r, JsonTokenType.StartArray);
        List<ulong> items = [];
        while (r.Read() && r.TokenType != JsonTokenType.EndArray) items.Add(r.GetUInt64());
        return [.. items];
    }

    private static void ReadHooks(ref Utf8JsonReader r, ContainerState s)
    {
        Expect(ref r, JsonTokenType.StartObject);
        while (NextProperty(ref r, out string name))
        {
            switch (name)
            {
                case "poststart": s.Poststart = ReadHookList(ref r); break;
                case "poststop": s.Poststop = ReadHookList(ref r); break;
                default: r.Skip(); break;
            }
        }
    }

    private static Hook[] ReadHookList(ref Utf8JsonReader r)
    {
        Expect(ref r, JsonTokenType.StartArray);
        List<Hook> hooks = [];
        while (r.Read() && r.TokenType != JsonTokenType.EndArray)
        {
            Expect(ref r, JsonTokenType.StartObject);
            Hook hook = new();
            while (NextProperty(ref r, out string name))
            {
                switch (name)
                {
                    case "path": hook.Path = Text(ref r); break;
                    case "args": hook.Args = ReadStrings(ref r); break;
                    case "env": hook.Env = ReadStrings(ref r); break;
                    case "timeout": hook.Timeout = r.GetInt32(); break;
                    default: r.Skip(); break;
                }
            }
            hooks.Add(hook);
        }
        return [.. hooks];
    }

    private static void Expect(ref Utf8JsonReader r, JsonTokenType expected)
    {
        if (r.TokenType != expected) throw new JsonException($"expected {expected}, found {r.TokenType}");
    }
}
