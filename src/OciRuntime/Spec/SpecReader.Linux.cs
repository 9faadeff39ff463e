namespace OciRuntime.Spec;

public static partial class SpecReader
{
    private static LinuxConfig? ReadLinux(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var linux = new LinuxConfig();
        while (json.NextProperty())
        {
            if (json.Is("namespaces"u8)) linux.Namespaces = Array(ref json, ReadNamespace);
            else if (json.Is("uidMappings"u8)) linux.UidMappings = Array(ref json, ReadIdMapping);
            else if (json.Is("gidMappings"u8)) linux.GidMappings = Array(ref json, ReadIdMapping);
            else if (json.Is("timeOffsets"u8)) linux.TimeOffsets = Map(ref json, ReadTimeOffset);
            else if (json.Is("devices"u8)) linux.Devices = Array(ref json, ReadDevice);
            else if (json.Is("netDevices"u8)) linux.NetDevices = Map(ref json, ReadNetDevice);
            else if (json.Is("cgroupsPath"u8)) linux.CgroupsPath = json.String();
            else if (json.Is("resources"u8)) linux.Resources = ReadResources(ref json);
            else if (json.Is("intelRdt"u8)) linux.IntelRdt = ReadIntelRdt(ref json);
            else if (json.Is("sysctl"u8)) linux.Sysctl = Map(ref json, StringElement, nullIsAbsent: true);
            else if (json.Is("seccomp"u8)) linux.Seccomp = ReadSeccomp(ref json);
            else if (json.Is("rootfsPropagation"u8)) linux.RootfsPropagation = json.String();
            else if (json.Is("maskedPaths"u8)) linux.MaskedPaths = Strings(ref json);
            else if (json.Is("readonlyPaths"u8)) linux.ReadonlyPaths = Strings(ref json);
            else if (json.Is("mountLabel"u8)) linux.MountLabel = json.String();
            else if (json.Is("personality"u8)) linux.Personality = ReadPersonality(ref json);
            else if (json.Is("memoryPolicy"u8)) linux.MemoryPolicy = ReadMemoryPolicy(ref json);
            else json.Skip();
        }
        return linux;
    }

    private static LinuxNamespace ReadNamespace(ref JsonCursor json)
    {
        var ns = new LinuxNamespace();
        if (!json.StartElement())
            return ns;
        while (json.NextProperty())
        {
            if (json.Is("type"u8)) ns.Type = json.String() ?? "";
            else if (json.Is("path"u8)) ns.Path = json.String();
            else json.Skip();
        }
        return ns;
    }

    private static TimeOffset ReadTimeOffset(ref JsonCursor json)
    {
        var offset = new TimeOffset();
        if (!json.StartElement())
            return offset;
        while (json.NextProperty())
        {
            if (json.Is("secs"u8)) offset.Secs = json.Int64() ?? 0;
            else if (json.Is("nanosecs"u8)) offset.Nanosecs = json.UInt32() ?? 0;
            else json.Skip();
        }
        return offset;
    }

    private static LinuxDevice ReadDevice(ref JsonCursor json)
    {
        var device = new LinuxDevice();
        if (!json.StartElement())
            return device;
        while (json.NextProperty())
        {
            if (json.Is("type"u8)) device.Type = json.String() ?? "";
            else if (json.Is("path"u8)) device.Path = json.String() ?? "";
            else if (json.Is("major"u8)) device.Major = json.Int64();
            else if (json.Is("minor"u8)) device.Minor = json.Int64();
            else if (json.Is("fileMode"u8)) device.FileMode = json.UInt32();
            else if (json.Is("uid"u8)) device.Uid = json.UInt32();
            else if (json.Is("gid"u8)) device.Gid = json.UInt32();
            else json.Skip();
        }
        return device;
    }

    private static NetDevice ReadNetDevice(ref JsonCursor json)
    {
        var device = new NetDevice();
        if (!json.StartElement())
            return device;
        while (json.NextProperty())
        {
            if (json.Is("name"u8)) device.Name = json.String();
            else json.Skip();
        }
        return device;
    }

    private static IntelRdt? ReadIntelRdt(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var rdt = new IntelRdt();
        while (json.NextProperty())
        {
            if (json.Is("closID"u8)) rdt.ClosID = json.String();
            else if (json.Is("schemata"u8)) rdt.Schemata = Strings(ref json);
            else if (json.Is("l3CacheSchema"u8)) rdt.L3CacheSchema = json.String();
            else if (json.Is("memBwSchema"u8)) rdt.MemBwSchema = json.String();
            else if (json.Is("enableMonitoring"u8)) rdt.EnableMonitoring = json.Bool() ?? false;
            else json.Skip();
        }
        return rdt;
    }

    private static Personality? ReadPersonality(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var personality = new Personality();
        while (json.NextProperty())
        {
            if (json.Is("domain"u8)) personality.Domain = json.String() ?? "";
            else if (json.Is("flags"u8)) personality.Flags = Strings(ref json);
            else json.Skip();
        }
        return personality;
    }

    private static MemoryPolicy? ReadMemoryPolicy(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var policy = new MemoryPolicy();
        while (json.NextProperty())
        {
            if (json.Is("mode"u8)) policy.Mode = json.String() ?? "";
            else if (json.Is("nodes"u8)) policy.Nodes = json.String();
            else if (json.Is("flags"u8)) policy.Flags = Strings(ref json);
            else json.Skip();
        }
        return policy;
    }
}
