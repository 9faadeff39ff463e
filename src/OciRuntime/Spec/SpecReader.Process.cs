namespace OciRuntime.Spec;

public static partial class SpecReader
{
    private static Process? ReadProcess(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var process = new Process();
        while (json.NextProperty())
        {
            if (json.Is("terminal"u8)) process.Terminal = json.Bool() ?? false;
            else if (json.Is("consoleSize"u8)) process.ConsoleSize = ReadConsoleSize(ref json);
            else if (json.Is("cwd"u8)) process.Cwd = json.String() ?? "";
            else if (json.Is("env"u8)) process.Env = Strings(ref json);
            else if (json.Is("args"u8)) process.Args = Strings(ref json);
            else if (json.Is("user"u8)) process.User = ReadUser(ref json);
            else if (json.Is("capabilities"u8)) process.Capabilities = ReadCapabilities(ref json);
            else if (json.Is("rlimits"u8)) process.Rlimits = Array(ref json, ReadRlimit);
            else if (json.Is("noNewPrivileges"u8)) process.NoNewPrivileges = json.Bool() ?? false;
            else if (json.Is("apparmorProfile"u8)) process.ApparmorProfile = json.String();
            else if (json.Is("oomScoreAdj"u8)) process.OomScoreAdj = json.Int32();
            else if (json.Is("scheduler"u8)) process.Scheduler = ReadScheduler(ref json);
            else if (json.Is("selinuxLabel"u8)) process.SelinuxLabel = json.String();
            else if (json.Is("ioPriority"u8)) process.IoPriority = ReadIoPriority(ref json);
            else if (json.Is("execCPUAffinity"u8)) process.ExecCPUAffinity = ReadExecCPUAffinity(ref json);
            else json.Skip();
        }
        return process;
    }

    private static ConsoleSize? ReadConsoleSize(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var size = new ConsoleSize();
        while (json.NextProperty())
        {
            if (json.Is("height"u8)) size.Height = json.UInt32() ?? 0;
            else if (json.Is("width"u8)) size.Width = json.UInt32() ?? 0;
            else json.Skip();
        }
        return size;
    }

    private static User ReadUser(ref JsonCursor json)
    {
        var user = new User();
        if (!json.StartObject())
            return user;
        while (json.NextProperty())
        {
            if (json.Is("uid"u8)) user.Uid = json.UInt32() ?? 0;
            else if (json.Is("gid"u8)) user.Gid = json.UInt32() ?? 0;
            else if (json.Is("umask"u8)) user.Umask = json.UInt32();
            else if (json.Is("additionalGids"u8)) user.AdditionalGids = Array(ref json, static (ref JsonCursor j) => j.UInt32Element());
            else json.Skip();
        }
        return user;
    }

    private static ProcessCapabilities? ReadCapabilities(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var sets = new ProcessCapabilities();
        while (json.NextProperty())
        {
            if (json.Is("bounding"u8)) sets.Bounding = Strings(ref json);
            else if (json.Is("effective"u8)) sets.Effective = Strings(ref json);
            else if (json.Is("inheritable"u8)) sets.Inheritable = Strings(ref json);
            else if (json.Is("permitted"u8)) sets.Permitted = Strings(ref json);
            else if (json.Is("ambient"u8)) sets.Ambient = Strings(ref json);
            else json.Skip();
        }
        return sets;
    }

    private static Rlimit ReadRlimit(ref JsonCursor json)
    {
        var limit = new Rlimit();
        if (!json.StartElement())
            return limit;
        while (json.NextProperty())
        {
            if (json.Is("type"u8)) limit.Type = json.String() ?? "";
            else if (json.Is("soft"u8)) limit.Soft = json.UInt64() ?? 0;
            else if (json.Is("hard"u8)) limit.Hard = json.UInt64() ?? 0;
            else json.Skip();
        }
        return limit;
    }

    private static Scheduler? ReadScheduler(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var scheduler = new Scheduler();
        while (json.NextProperty())
        {
            if (json.Is("policy"u8)) scheduler.Policy = json.String() ?? "";
            else if (json.Is("nice"u8)) scheduler.Nice = json.Int32();
            else if (json.Is("priority"u8)) scheduler.Priority = json.Int32();
            else if (json.Is("flags"u8)) scheduler.Flags = Strings(ref json);
            else if (json.Is("runtime"u8)) scheduler.Runtime = json.UInt64();
            else if (json.Is("deadline"u8)) scheduler.Deadline = json.UInt64();
            else if (json.Is("period"u8)) scheduler.Period = json.UInt64();
            else json.Skip();
        }
        return scheduler;
    }

    private static IoPriority? ReadIoPriority(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var priority = new IoPriority();
        while (json.NextProperty())
        {
            if (json.Is("class"u8)) priority.Class = json.String() ?? "";
            else if (json.Is("priority"u8)) priority.Priority = json.Int32() ?? 0;
            else json.Skip();
        }
        return priority;
    }

    private static ExecCPUAffinity? ReadExecCPUAffinity(ref JsonCursor json)
    {
        if (!json.StartObject())
            return null;
        var affinity = new ExecCPUAffinity();
        while (json.NextProperty())
        {
            if (json.Is("initial"u8)) affinity.Initial = json.String();
            else if (json.Is("final"u8)) affinity.Final = json.String();
            else json.Skip();
        }
        return affinity;
    }
}
