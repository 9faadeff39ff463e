namespace OciRuntime.Spec;

public static partial class SpecReader
{
    private static Mount[] ReadMounts(ref JsonCursor json) => Array(ref json, ReadMount);

    private static Mount ReadMount(ref JsonCursor json)
    {
        var mount = new Mount();
        if (!json.StartElement())
            return mount;
        while (json.NextProperty())
        {
            if (json.Is("destination"u8)) mount.Destination = json.String() ?? "";
            else if (json.Is("type"u8)) mount.Type = json.String();
            else if (json.Is("source"u8)) mount.Source = json.String();
            else if (json.Is("options"u8)) mount.Options = Strings(ref json);
            else if (json.Is("uidMappings"u8)) mount.UidMappings = Array(ref json, ReadIdMapping);
            else if (json.Is("gidMappings"u8)) mount.GidMappings = Array(ref json, ReadIdMapping);
            else json.Skip();
        }
        return mount;
    }

    private static IdMapping ReadIdMapping(ref JsonCursor json)
    {
        var mapping = new IdMapping();
        if (!json.StartElement())
            return mapping;
        while (json.NextProperty())
        {
            if (json.Is("containerID"u8)) mapping.ContainerID = json.UInt32() ?? 0;
            else if (json.Is("hostID"u8)) mapping.HostID = json.UInt32() ?? 0;
            else if (json.Is("size"u8)) mapping.Size = json.UInt32() ?? 0;
            else json.Skip();
        }
        return mapping;
    }

    private static Hooks? ReadHooks(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var hooks = new Hooks();
        while (json.NextProperty())
        {
            if (json.Is("prestart"u8)) hooks.Prestart = Array(ref json, ReadHook);
            else if (json.Is("createRuntime"u8)) hooks.CreateRuntime = Array(ref json, ReadHook);
            else if (json.Is("createContainer"u8)) hooks.CreateContainer = Array(ref json, ReadHook);
            else if (json.Is("startContainer"u8)) hooks.StartContainer = Array(ref json, ReadHook);
            else if (json.Is("poststart"u8)) hooks.Poststart = Array(ref json, ReadHook);
            else if (json.Is("poststop"u8)) hooks.Poststop = Array(ref json, ReadHook);
            else json.Skip();
        }
        return hooks;
    }

    private static Hook ReadHook(ref JsonCursor json)
    {
        var hook = new Hook();
        if (!json.StartElement())
            return hook;
        while (json.NextProperty())
        {
            if (json.Is("path"u8)) hook.Path = json.String() ?? "";
            else if (json.Is("args"u8)) hook.Args = Strings(ref json);
            else if (json.Is("env"u8)) hook.Env = json.IsNull ? null : Strings(ref json);
            else if (json.Is("timeout"u8)) hook.Timeout = json.Int32();
            else json.Skip();
        }
        return hook;
    }
}
