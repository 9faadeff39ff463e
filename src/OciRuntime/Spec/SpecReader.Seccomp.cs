namespace OciRuntime.Spec;

public static partial class SpecReader
{
    private static LinuxSeccomp? ReadSeccomp(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var seccomp = new LinuxSeccomp();
        while (json.NextProperty())
        {
            if (json.Is("defaultAction"u8)) seccomp.DefaultAction = json.String() ?? "";
            else if (json.Is("defaultErrnoRet"u8)) seccomp.DefaultErrnoRet = json.UInt32();
            else if (json.Is("architectures"u8)) seccomp.Architectures = Strings(ref json);
            else if (json.Is("flags"u8)) seccomp.Flags = json.IsNull ? null : Strings(ref json);
            else if (json.Is("listenerPath"u8)) seccomp.ListenerPath = json.String();
            else if (json.Is("listenerMetadata"u8)) seccomp.ListenerMetadata = json.Text();
            else if (json.Is("syscalls"u8)) seccomp.Syscalls = Array(ref json, ReadSyscall);
            else json.Skip();
        }
        return seccomp;
    }

    private static SeccompSyscall ReadSyscall(ref JsonCursor json)
    {
        var rule = new SeccompSyscall();
        if (!json.StartElement())
            return rule;
        while (json.NextProperty())
        {
            if (json.Is("names"u8)) rule.Names = Strings(ref json);
            else if (json.Is("action"u8)) rule.Action = json.String() ?? "";
            else if (json.Is("errnoRet"u8)) rule.ErrnoRet = json.UInt32();
            else if (json.Is("args"u8)) rule.Args = Array(ref json, ReadSyscallArg);
            else json.Skip();
        }
        return rule;
    }

    private static SeccompArg ReadSyscallArg(ref JsonCursor json)
    {
        var arg = new SeccompArg();
        if (!json.StartElement())
            return arg;
        while (json.NextProperty())
        {
            if (json.Is("index"u8)) arg.Index = json.UInt32() ?? 0;
            else if (json.Is("value"u8)) arg.Value = json.UInt64() ?? 0;
            else if (json.Is("valueTwo"u8)) arg.ValueTwo = json.UInt64() ?? 0;
            else if (json.Is("op"u8)) arg.Op = json.String() ?? "";
            else json.Skip();
        }
        return arg;
    }
}
